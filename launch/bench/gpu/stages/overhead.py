"""Stage: the time of forward and backward with the probe over that without, on random models of known shapes."""

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from peft import PeftModel, get_peft_model
from torch import Tensor

from attention_probes.record import record_attention
from launch.bench.gpu.models import SHAPES, random_model, shape_config
from launch.bench.gpu.stage import Row, Setup
from launch.bench.stopwatch import seconds_of
from launch.plan.shape import parse_shape
from rl.common.attention_kernels import choose_attention_kernels
from rl.config.model import AdapterConfig
from rl.models.lora import lora_config

LENGTHS, REHEARSED_LENGTHS = (1024, 8192), (64, 128)
ROUNDS = 5
LEAST_FREE = 1.5
"""Bytes that should be free for each byte of weights."""


def measure(setup: Setup) -> Iterator[Row]:
    """Yield a row for each shape and length, small ones first: what does not fit costs the last rows only."""
    choose_attention_kernels()
    for name in SHAPES:
        config = shape_config(name, on_gpu=setup.on_gpu)
        weights = 2 * parse_shape(name, config.to_dict()).num_parameters
        if setup.on_gpu and LEAST_FREE * weights > torch.cuda.mem_get_info()[0]:
            yield {"shape": name, "skipped": f"its weights take {weights / 1e9:.0f} GB, and too little is free"}
            continue
        policy = adapted(random_model(config, setup.device, torch.bfloat16))
        for length in LENGTHS if setup.on_gpu else REHEARSED_LENGTHS:
            yield {"shape": name, "length": length} | overhead_row(policy, length)
        del policy
        torch.cuda.empty_cache()


def adapted(model: Any) -> PeftModel:
    """Return the model with an adapter, and with gradient checkpointing, which long texts need."""
    policy = get_peft_model(model, lora_config(AdapterConfig()))
    assert isinstance(policy, PeftModel)
    policy.enable_input_require_grads()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    return policy.train()


def overhead_row(policy: PeftModel, length: int) -> Row:
    """Return seconds without the probe, and the ratio with it over rounds that alternate: [lowest, highest]."""
    ids = torch.randint(policy.config.vocab_size, (1, length), device=policy.device)
    passes: dict[str, Callable[[], None]] = {
        "off": partial(forward_backward, policy, ids),
        "on": partial(recorded_forward_backward, policy, ids),
    }
    for run in passes.values():
        run()  # warms up
    seconds: dict[str, list[float]] = {mode: [] for mode in passes}
    for index in range(ROUNDS):
        for mode in list(passes)[:: (-1) ** index]:  # drift favours neither
            seconds[mode].append(seconds_of(passes[mode]))
    ratios = [on / off for on, off in zip(seconds["on"], seconds["off"], strict=True)]
    return {
        "seconds_off": statistics.median(seconds["off"]),
        "ratio_on_off": statistics.median(ratios),
        "ratio_on_off_spread": [min(ratios), max(ratios)],
    }


def forward_backward(policy: PeftModel, ids: Tensor) -> None:
    """Run all layers there and back, without an output layer beside which the probe would look cheaper."""
    with torch.autocast(ids.device.type, torch.bfloat16):
        logits = policy(input_ids=ids, logits_to_keep=1, use_cache=False).logits
    logits.float().mean().backward()
    policy.zero_grad(set_to_none=True)


def recorded_forward_backward(policy: PeftModel, ids: Tensor) -> None:
    with record_attention(policy) as recorder:
        forward_backward(policy, ids)
    recorder.read()
