"""What routing costs: forward and backward of a batch with several gated adapters, beside one plain adapter."""

import statistics
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig

from launch.bench.probes import SMOLLM2_SHAPE
from launch.bench.stopwatch import seconds_of
from rl.routing.gates import gated

FORMS = {"1 of rank 16": (1, 16), "4 of rank 4": (4, 4), "4 of rank 16": (4, 16)}
"""Adapters and their rank; ratios are to the first, which is plain PEFT."""


def bench_gates(
    config: LlamaConfig = SMOLLM2_SHAPE, *, batch_size: int = 8, length: int = 128, rounds: int = 5
) -> list[dict[str, Any]]:
    """One row a form: the time of a forward and backward pass over that of one plain adapter, and its spread.

    The forms take turns; ratios are of the same round. Each sample has a gate of its own that opens one adapter, as
    routing by `top=1` does. On CPUs the time is this process's, on CUDA the clock's.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    runs: dict[str, Callable[[], None]] = {}
    for name, (adapters, rank) in FORMS.items():
        model = _policy(config, adapters, rank).to(device)
        ids = torch.randint(config.vocab_size, (batch_size, length), device=device)
        gates = nn.functional.one_hot(torch.arange(batch_size, device=device) % adapters, adapters).float()
        runs[name] = partial(_pass, model, ids, gates if adapters > 1 else None)
        runs[name]()  # warms up
    orders = [list(runs)[:: (-1) ** number] for number in range(rounds)]
    seconds = [{name: seconds_of(runs[name]) for name in order} for order in orders]
    return [_row(name, seconds) for name in runs]


def _policy(config: LlamaConfig, adapters: int, rank: int) -> PeftModel:
    lora = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    policy = get_peft_model(AutoModelForCausalLM.from_config(config), lora, adapter_name="0")
    assert isinstance(policy, PeftModel)
    for number in range(1, adapters):
        policy.add_adapter(str(number), lora)
    tuner: Any = policy.base_model
    tuner.set_adapter(list(policy.peft_config))  # all of them trained
    return policy


def _pass(model: PeftModel, ids: torch.Tensor, gates: torch.Tensor | None) -> None:
    with nullcontext() if gates is None else gated(model, list(model.peft_config), gates):
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    model.zero_grad(set_to_none=True)


def _row(name: str, seconds: Sequence[dict[str, float]]) -> dict[str, Any]:
    plain = next(iter(FORMS))
    ratios = [once[name] / once[plain] for once in seconds]
    return {
        "adapters": name,
        "seconds": round(statistics.median(once[name] for once in seconds), 4),
        "time_ratio": round(statistics.median(ratios), 4),
        "time_ratio_spread": [round(min(ratios), 4), round(max(ratios), 4)],
    }
