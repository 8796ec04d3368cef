"""Routed training: neutral is plain LoRA, loss and sampling use the same gates, workers agree, a resume is exact."""

from pathlib import Path

import pytest
import torch

from data.problems import Problem
from rl.build import build_trainer
from rl.config.root import Config
from rl.datasets import load_problems
from rl.routing.files import ROUTER_FILE
from rl.trainers.grpo import CreditGRPOTrainer
from tests.rl.grpo_fixtures import credit_trainer, outcome, tiny_config

ADAPTERS = ["left", "right"]


def problems() -> tuple[Problem, ...]:
    """Eight problems whose tasks are the adapters' names, in turn."""
    drawn = load_problems(tiny_config().data).train
    return tuple(
        Problem(problem_id=one.problem_id, messages=one.messages, constraints=one.constraints, task=ADAPTERS[index % 2])
        for index, one in enumerate(drawn)
    )


def routed(folder: Path, config: Config) -> CreditGRPOTrainer:
    trainer = build_trainer(config, folder, problems(), callbacks=[])
    assert isinstance(trainer, CreditGRPOTrainer)
    return trainer


def routed_config(**sections: dict) -> Config:
    return tiny_config(**{**sections, "routing": {"adapters": ADAPTERS, **sections.get("routing", {})}})


def trained(trainer: CreditGRPOTrainer) -> CreditGRPOTrainer:
    try:
        trainer.train()
    finally:
        trainer.rollouts.close()
    return trainer


@pytest.mark.parametrize("iterations", [1, 2])
def test_training__with_one_adapter_at_gate_one_is_plain_lora(tmp_path: Path, iterations: int) -> None:
    settings = {"trainer": {"num_iterations": iterations}}
    plain = trained(credit_trainer(tiny_config(**settings), tmp_path / "plain"))
    neutral = {"adapters": ["default"], "router": "fixed", "weights": {"default": 1.0}, "top": None}
    gated = trained(credit_trainer(tiny_config(**settings, routing=neutral), tmp_path / "gated"))
    assert outcome(gated) == outcome(plain)


def test_training__changes_only_the_task_s_adapter(tmp_path: Path) -> None:
    only_left = tuple(problem for problem in problems() if problem.task == "left")
    trainer = build_trainer(routed_config(), tmp_path, only_left, callbacks=[])
    assert isinstance(trainer, CreditGRPOTrainer)
    trained(trainer)
    moved = {name: weight for name, weight in trainer.policy.named_parameters() if "lora_B" in name}
    assert any(weight.any() for name, weight in moved.items() if ".left." in name)
    assert {bool(weight.any()) for name, weight in moved.items() if ".right." in name} == {False}
    assert "default" not in trainer.policy.peft_config


def test_training__changes_both_adapters_also_with_a_reference_pass(tmp_path: Path) -> None:
    trainer = trained(routed(tmp_path, routed_config(trainer={"beta": 0.04})))
    for name in ADAPTERS:
        weights = [weight for key, weight in trainer.policy.named_parameters() if f"lora_B.{name}." in key]
        assert weights
        assert all(weight.requires_grad for weight in weights)
        assert any(weight.any() for weight in weights)


@pytest.mark.parametrize("router", ["task", "attention", "kmeans", "probe"])
def test_training__computes_the_loss_with_the_gates_that_sampled(tmp_path: Path, router: str) -> None:
    trainer = routed(tmp_path, routed_config(routing={"router": router, "fit_steps": 20}))
    trained(trainer)
    logged = [line for line in trainer.state.log_history if "loss" in line]
    assert len(logged) == 4
    # The same gates give the loss the log-probs that the sampler reported.
    assert all(line["sync/logp_gap_max"] < 1e-4 for line in logged)
    assert all(0 <= line["routing/entropy"] <= 1 for line in logged)
    assert all(line["routing/load/left"] + line["routing/load/right"] == pytest.approx(1, abs=1e-5) for line in logged)
    if router == "task":
        assert all(line["routing/agreement"] == 1 for line in logged)


def test_training__moves_a_router_that_the_policy_trains(tmp_path: Path) -> None:
    routing = {"router": "attention", "learn": "policy", "top": None, "heads": 2}
    trainer = routed(tmp_path, routed_config(routing=routing))
    assert trainer.route is not None
    before = {name: tensor.clone() for name, tensor in trainer.route.router.state_dict().items()}
    trained(trainer)
    after = trainer.route.router.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_workers__compute_the_learner_s_gates(tmp_path: Path) -> None:
    routing = {"router": "attention", "fit_steps": 20}
    alone = trained(routed(tmp_path / "alone", routed_config(routing=routing)))
    config = routed_config(routing=routing, rollouts={"workers": 1, "threads": 1})
    helped = trained(routed(tmp_path / "helped", config))
    assert outcome(helped) == outcome(alone)


@pytest.mark.parametrize("router", ["task", "attention"])
def test_resume__is_exact(tmp_path: Path, router: str) -> None:
    routing = {"router": router, "fit_steps": 5}
    if router == "attention":
        routing |= {"learn": "policy", "top": None}
    config = routed_config(routing=routing, trainer={"save_steps": 2})
    undisturbed = trained(routed(tmp_path, config))
    assert (tmp_path / "checkpoint-2" / ROUTER_FILE).is_file()
    resumed = routed(tmp_path, config)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    resumed.rollouts.close()
    assert outcome(resumed).adapter == outcome(undisturbed).adapter


def test_unknown_task__is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no adapter is meant for task 'instruction'"):
        build_trainer(routed_config(), tmp_path, load_problems(tiny_config().data).train, callbacks=[])
