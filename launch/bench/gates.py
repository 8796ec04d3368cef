"""`heed bench gates`: the cost of routing, as forward and backward time of gated adapters over one plain adapter's."""

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
"""Number of adapters and their rank; ratios are to the first, which is plain PEFT."""


def bench_gates(
    config: LlamaConfig = SMOLLM2_SHAPE, *, batch_size: int = 8, length: int = 128, rounds: int = 5
) -> list[dict[str, Any]]:
    """Return a row per form: the time of a forward and backward pass over that of one plain adapter, and its spread.

    The forms alternate; ratios are within a round. Each sample's gate opens one adapter, as `routing.top=1` does. On
    CPUs the time is this process's CPU time, on CUDA wall-clock time.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    runs: dict[str, Callable[[], None]] = {}
    for name, (adapters, rank) in FORMS.items():
        model = _policy(config, adapters, rank).to(device)
        ids = torch.randint(config.vocab_size, (batch_size, length), device=device)
        gates = nn.functional.one_hot(torch.arange(batch_size, device=device) % adapters, adapters).float()
        runs[name] = partial(_pass, model, ids, gates if adapters > 1 else None)
        runs[name]()  # warms up
    orders = [list(runs)[:: (-1) ** number] for number in range(rounds)]  # drift favours no form
    rounds_seconds = [{name: seconds_of(runs[name]) for name in order} for order in orders]
    return [_row(name, rounds_seconds) for name in runs]


def _policy(config: LlamaConfig, adapters: int, rank: int) -> PeftModel:
    lora = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    policy = get_peft_model(AutoModelForCausalLM.from_config(config), lora, adapter_name="0")
    assert isinstance(policy, PeftModel)
    for index in range(1, adapters):
        policy.add_adapter(str(index), lora)
    tuner: Any = policy.base_model
    tuner.set_adapter(list(policy.peft_config))  # all of them trained
    return policy


def _pass(model: PeftModel, ids: torch.Tensor, gates: torch.Tensor | None) -> None:
    with nullcontext() if gates is None else gated(model, list(model.peft_config), gates):
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    model.zero_grad(set_to_none=True)


def _row(name: str, rounds_seconds: Sequence[dict[str, float]]) -> dict[str, Any]:
    plain = next(iter(FORMS))
    ratios = [seconds[name] / seconds[plain] for seconds in rounds_seconds]
    return {
        "adapters": name,
        "seconds": round(statistics.median(seconds[name] for seconds in rounds_seconds), 4),
        "time_ratio": round(statistics.median(ratios), 4),
        "time_ratio_spread": [round(min(ratios), 4), round(max(ratios), 4)],
    }
