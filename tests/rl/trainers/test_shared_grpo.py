"""Shared prompts in GRPO: the loss, its gradient and what the probe reads are those of rows of their own."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rl.config.root import Config
from rl.rollouts.rollout_func import PLACEHOLDER_POSITION
from rl.trainers.grpo import CreditGRPOTrainer
from rl.trainers.shared_grpo import with_whole_groups
from tests.rl.grpo_fixtures import credit_trainer, tiny_config

BATCHES = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1}


def prepared(config: Config, folder: Path) -> tuple[CreditGRPOTrainer, dict[str, Any]]:
    """Return a trainer whose adapter does something, and its first micro-batch."""
    trainer = credit_trainer(config, folder)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in trained(trainer):
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    return trainer, trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))


def trained(trainer: CreditGRPOTrainer) -> list[Tensor]:
    return [weight for weight in trainer.model.parameters() if weight.requires_grad]


def loss_and_gradient(trainer: CreditGRPOTrainer, inputs: dict[str, Any]) -> tuple[float, Tensor, dict[str, list]]:
    """Return the loss, its gradient in one vector, and the metrics of the pass."""
    trainer._metrics["train"].clear()
    with trainer._step_gates:
        loss = trainer._compute_loss(trainer.model, inputs)
        gradients = torch.autograd.grad(loss, trained(trainer))
    metrics = {name: [float(value) for value in values] for name, values in trainer._metrics["train"].items()}
    return loss.item(), torch.cat([gradient.flatten() for gradient in gradients]), metrics


def assert_same(trainer: CreditGRPOTrainer, inputs: dict[str, Any]) -> None:
    assert trainer.shares_prompts
    loss, gradient, metrics = loss_and_gradient(trainer, inputs)
    trainer.shares_prompts = False
    expected_loss, expected_gradient, expected_metrics = loss_and_gradient(trainer, inputs)
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    assert gradient.norm() > 0
    assert (gradient - expected_gradient).norm() <= 1e-4 * expected_gradient.norm()
    assert metrics.keys() == expected_metrics.keys()
    for name, values in metrics.items():
        assert values == pytest.approx(expected_metrics[name], abs=1e-4, nan_ok=True), name


@pytest.mark.parametrize("loss_type", ["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo"])
@pytest.mark.parametrize("tokens_per_row", [None, 4096], ids=["a row each", "one row"])
def test_shared_prompts__give_the_same_loss_and_gradient(tokens_per_row, loss_type, tmp_path):
    # two iterations, so that there are log-probs of an old policy; a reference policy; attention readings in the credit
    settings = {"loss_type": loss_type, "num_iterations": 2, "beta": 0.04, "tokens_per_row": tokens_per_row, **BATCHES}
    rule = "uniform" if loss_type == "luspo" else "global_anchor"
    assert_same(*prepared(tiny_config(trainer=settings, credit={"rule": rule}), tmp_path))


@pytest.mark.parametrize("tokens_per_row", [None, 4096])
def test_shared_prompts__give_the_same_under_gradient_checkpointing(tokens_per_row, tmp_path):
    settings = {"gradient_checkpointing": True, "tokens_per_row": tokens_per_row, **BATCHES}
    assert_same(*prepared(tiny_config(trainer=settings, credit={"rule": "coupled"}), tmp_path))


@pytest.mark.parametrize(
    "routing",
    [{"router": "fixed", "weights": {"one": 0.3, "two": 0.7}}, {"router": "attention", "learn": "policy"}],
    ids=lambda routing: routing["router"],
)
def test_shared_prompts__give_each_group_its_gates(routing, tmp_path):
    routing = {"adapters": ["one", "two"], "top": None, **routing}
    settings = {"num_iterations": 2, "tokens_per_row": 4096, **BATCHES}
    trainer, inputs = prepared(tiny_config(trainer=settings, routing=routing), tmp_path)
    packed = trainer.pack(inputs)
    assert packed is not None and len(packed.rows) == 2  # as gates are of whole rows
    assert_same(trainer, inputs)


@pytest.mark.parametrize("tokens_per_row", [None, 4096])
def test_old_and_reference_logprobs__are_the_same(tokens_per_row, tmp_path):
    settings = {"num_iterations": 2, "beta": 0.04, "tokens_per_row": tokens_per_row, **BATCHES}
    columns = ("old_per_token_logps", "ref_per_token_logps")
    batches = []
    for shared in (True, False):
        trainer, _ = prepared(tiny_config(trainer={**settings, "shared_prompts": shared}), tmp_path / str(shared))
        [batch] = trainer._buffered_inputs
        rows = sorted(range(8), key=lambda row, batch=batch: batch["row"][row])
        batches.append({name: batch[name][rows] for name in (*columns, "completion_mask", "completion_ids")})
    one, other = batches
    assert torch.equal(one["completion_ids"], other["completion_ids"])
    for name in columns:
        difference = (one[name] - other[name]) * one["completion_mask"]
        assert difference.abs().max() <= 1e-5, name


def test_with_whole_groups__keeps_the_order_of_groups_and_of_rows_within_one():
    batches = [
        {"value": torch.tensor([0.0, 4.0]), "position": [5, 7], "row": [0, 4], "tokens": torch.tensor(9)},
        {"value": torch.tensor([5.0, 1.0]), "position": [7, 5], "row": [5, 1], "tokens": torch.tensor(9)},
    ]
    first, second = with_whole_groups(batches)
    assert (first["position"], first["row"], first["value"].tolist()) == ([5, 5], [0, 1], [0.0, 1.0])
    assert (second["position"], second["row"], second["value"].tolist()) == ([7, 7], [4, 5], [4.0, 5.0])
    assert first["tokens"] == second["tokens"] == 9


def test_tokens_per_row__packs_both_groups_into_one_row(tmp_path):
    trainer, inputs = prepared(tiny_config(trainer={"tokens_per_row": 4096, **BATCHES}), tmp_path)
    packed = trainer.pack(inputs)
    assert packed is not None
    assert [[len(group.rows) for group in row] for row in packed.rows] == [[4, 4]]


def test_rows_that_stand_in_for_dropped_ones__are_groups_of_their_own(tmp_path):
    trainer, inputs = prepared(tiny_config(trainer=BATCHES), tmp_path)
    placed = {**inputs, "position": [PLACEHOLDER_POSITION] * 4 + inputs["position"][4:]}
    shared = trainer.pack(placed)
    assert shared is not None
    assert [len(group.rows) for [group] in shared.rows] == [1, 1, 1, 1, 4]
