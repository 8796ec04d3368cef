"""Memory: the prediction against what autograd keeps, to the byte, and against a real step's peak, to a fifth."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from launch.plan.memory import Workload, activation_bytes, peak_bytes
from launch.plan.shape import shape_of
from rl.build import lora_config
from rl.models.tiny import tiny_model
from tests.launch.plan.measure_peak import step_config
from tests.rl.grpo_fixtures import tiny_config

ROWS, LENGTH = 2, 50
MEASURE = Path(__file__).with_name("measure_peak.py")
BETWEEN_LAYERS = 2 * 64 * 4 + 4
"""Bytes a token that are kept once, whatever the number of layers: those of the last norm, and its output."""


def kept_bytes(lora) -> int:
    """Return the bytes that autograd keeps for the backward pass of a left-padded batch, parameters left out."""
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(tiny_model(), lora_config(lora)).train()
    parameters = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in parameters:
            kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    ids = torch.randint(3, 512, (ROWS, LENGTH), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        model.get_base_model().model(input_ids=ids, attention_mask=mask, use_cache=False)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("modules", ["all-linear", ["q_proj", "v_proj"]])
def test_activation_bytes__are_what_autograd_keeps(modules):
    config = tiny_config(lora={"r": 16, "alpha": 32, "target_modules": modules})
    workload = Workload(shape=shape_of("tiny"), dtype="float32", longest_prompt=0, on_gpu=False)
    predicted = ROWS * LENGTH * activation_bytes(config.lora, config.trainer, workload, LENGTH)
    once = kept_bytes(config.lora) - predicted
    # the rotary angles (cosines and sines of 16 numbers, for one row) and the end of the model do not grow with layers
    assert 0 <= once <= ROWS * LENGTH * BETWEEN_LAYERS + 2 * LENGTH * 16 * 4


@pytest.mark.slow
@pytest.mark.exhaustive  # a heap's gaps vary with the machine's other work: 1.55 GB instead of 1.93 once in four runs
@pytest.mark.parametrize("rows", [4, 16])
def test_peak_bytes__are_within_a_fifth_of_a_real_step(rows, smollm2_path, tmp_path):
    command = [sys.executable, str(MEASURE), str(rows), "32", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    measured = json.loads(done.stdout.splitlines()[-1])
    workload = Workload(
        shape=shape_of("smollm2-135m-instruct"),
        dtype="float32",
        longest_prompt=measured["prompt_tokens"],
        on_gpu=False,
    )
    predicted = peak_bytes(step_config(rows, 32), workload)
    assert max(measured["sample"], measured["forward"], measured["backward"]) == pytest.approx(predicted, rel=0.2)
