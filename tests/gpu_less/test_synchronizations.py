"""Synchronizations of a training: how often a micro-step would wait for a GPU, counted on the CPU."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rl.trainers.grpo import CreditGRPOTrainer
from tests.gpu_less.synchronizations import synchronizations
from tests.rl.grpo_fixtures import EVEN_SHARE, credit_trainer, tiny_config

OURS = ("rl/", "attention_probes/")


@pytest.mark.parametrize(
    ("wait", "number"),
    [
        (lambda tensor: tensor.sum().item(), 1),
        (lambda tensor: bool(tensor.any()), 1),
        (lambda tensor: float(tensor[0]) + int(tensor[1]), 2),
        (lambda tensor: tensor.tolist(), 1),
        (lambda tensor: tensor.cpu(), 1),
        (lambda tensor: tensor.nonzero(), 1),
        (lambda tensor: tensor[tensor > 0], 1),
        (lambda tensor: tensor.where(tensor > 0, 0.0).sum() / tensor.argsort().max(), 0),
    ],
)
def test_synchronizations__counts_what_needs_a_value(wait: Callable[[Tensor], Any], number: int):
    with synchronizations() as counted:
        wait(torch.ones(3))
    assert sum(counted.values()) == number
    assert all(place.startswith("tests/gpu_less/test_synchronizations.py:") for place in counted)


@pytest.fixture
def counted_steps(monkeypatch: pytest.MonkeyPatch) -> list[Counter[str]]:
    """The synchronizations of each micro-step that `training_step` runs."""
    steps: list[Counter[str]] = []
    training_step = CreditGRPOTrainer.training_step

    def counting(trainer: CreditGRPOTrainer, *args: Any, **kwargs: Any) -> Tensor:
        with synchronizations() as counted:
            loss = training_step(trainer, *args, **kwargs)
        steps.append(counted)
        return loss

    monkeypatch.setattr(CreditGRPOTrainer, "training_step", counting)
    return steps


@pytest.mark.parametrize("rule", ["uniform", "coupled", "combined"])
def test_micro_step__waits_for_no_value_of_ours(rule, counted_steps, tmp_path):
    config = tiny_config(
        credit={"rule": rule},
        probe={"listen": "always", "horizon": [1, 8]},
        rewards={"satisfaction_weight": 1.0, "functions": [EVEN_SHARE]},
        trainer={"max_steps": 2, "gradient_accumulation_steps": 4},
    )
    credit_trainer(config, tmp_path).train()
    assert len(counted_steps) == 8
    # Of each four micro-steps the first generates a batch, and the fourth writes down what it gathered of it.
    ours = [{place: n for place, n in step.items() if place.startswith(OURS)} for step in counted_steps]
    assert [sum(step.values()) for step in (ours[1], ours[2], ours[5], ours[6])] == [0] * 4, ours
    assert [sum(step.values()) for step in (ours[3], ours[7])] == [1, 1], ours
