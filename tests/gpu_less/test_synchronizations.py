"""Synchronizations of a training: how often a micro-step would wait for a GPU, counted on the CPU."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rl.trainers.base import AdapterTrainer
from tests.gpu_less.synchronizations import synchronizations
from tests.rl.dpo_fixtures import credit_dpo_trainer, tiny_dpo_config, write_pairs
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
    training_step = AdapterTrainer.training_step

    def counting(trainer: AdapterTrainer, *args: Any, **kwargs: Any) -> Tensor:
        with synchronizations() as counted:
            loss = training_step(trainer, *args, **kwargs)
        steps.append(counted)
        return loss

    monkeypatch.setattr(AdapterTrainer, "training_step", counting)
    return steps


def ours(step: Counter[str]) -> Counter[str]:
    """Return those synchronizations of a micro-step that Heed causes."""
    return Counter({place: number for place, number in step.items() if place.startswith(OURS)})


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
    waits = [ours(step).total() for step in counted_steps]
    assert [waits[1:4], waits[5:]] == [[0, 0, 1]] * 2, list(map(ours, counted_steps))
    # With TRL's: two times two of smallest and largest shares. The mask of shared prompts needs no check.
    assert [step.total() for step in counted_steps[1:4]] == [4, 4, 5], counted_steps[1]


@pytest.mark.parametrize(
    "sections",
    [
        {"credit": {"rule": "uniform"}},
        {"credit": {"rule": "coupled"}},
        {"credit": {"rule": "combined"}, "probe": {"listen": "always"}},
        {
            "routing": {
                "adapters": ["left", "right"],
                "router": "fixed",
                "weights": {"left": 0.25, "right": 0.75},
                "top": None,
            }
        },
        {"routing": {"adapters": ["left", "right"], "router": "attention", "learn": "policy", "top": None}},
    ],
    ids=["uniform", "coupled", "combined", "fixed router", "trained router"],
)
def test_dpo_micro_step__waits_for_no_value_of_ours(sections, counted_steps, tmp_path):
    config = tiny_dpo_config(write_pairs(tmp_path), trainer={"max_steps": 2}, **sections)
    credit_dpo_trainer(config, tmp_path).train()
    assert [ours(step).total() for step in counted_steps] == [0] * 3, list(map(ours, counted_steps))  # of six pairs
