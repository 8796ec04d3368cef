"""Divergence: a training with a loss, a gradient or a weight that is not finite stops before any of it is saved."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import TrainerControl, TrainerState

from rl.common.errors import RunFailure, UserError
from rl.models.finite import load_finite
from rl.trainers.divergence import DivergenceGuard, check_weights
from tests.rl.dpo_fixtures import credit_dpo_trainer, tiny_dpo_config, write_pairs
from tests.rl.grpo_fixtures import credit_trainer, tiny_config


@pytest.fixture
def guard() -> DivergenceGuard:
    return DivergenceGuard(lambda batch: batch["ids"])


def assert_stopped_finite(trainer, folder: Path) -> None:
    """Train with steps so large that the second is lost; what was saved must be finite."""
    with pytest.raises(RunFailure, match=r"step (\d): the gradient norm is nan .* on problems .+: .*learning_rate"):
        trainer.train()
    saved = list(folder.glob("checkpoint-*/adapter_model.safetensors"))
    assert len(saved) == trainer.state.global_step < trainer.args.max_steps
    assert all(tensor.isfinite().all() for path in saved for tensor in load_file(path).values())
    check_weights(trainer.policy, step=trainer.state.global_step)


def test_grpo__stops_at_the_step_that_diverges(tmp_path):
    config = tiny_config(trainer={"learning_rate": 1e30, "max_steps": 6, "save_steps": 1, "save_total_limit": 9})
    assert_stopped_finite(credit_trainer(config, tmp_path), tmp_path)


def test_dpo__stops_at_the_step_that_diverges(tmp_path):
    settings = {"learning_rate": 1e30, "max_steps": 6, "save_steps": 1, "save_total_limit": 9}
    config = tiny_dpo_config(write_pairs(tmp_path), trainer=settings)
    assert_stopped_finite(credit_dpo_trainer(config, tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("loss", "norm"), [(0.5, math.nan), (0.5, torch.tensor(math.inf)), (math.nan, 1.0), (-math.inf, None)]
)
def test_check_gradient__names_step_and_problems(guard, loss, norm):
    guard.add(torch.tensor(0.25), {"ids": ["sea", "rain"]})
    guard.add(torch.tensor(loss), {"ids": ["sea"]})
    with pytest.raises(RunFailure, match=r"step 7: .* on problems rain, sea: the training has diverged"):
        guard.check_gradient(norm, step=7)


def test_check_gradient__a_finite_step_is_forgotten(guard):
    guard.add(torch.tensor(0.25), {"ids": ["sea"]})
    guard.check_gradient(3.0, step=1)
    with pytest.raises(RunFailure, match=r"step 2: the gradient norm is nan and the loss 1\.0, on problems rain:"):
        guard.add(torch.tensor(1.0), {"ids": ["rain"]})
        guard.check_gradient(math.nan, step=2)


def test_on_optimizer_step__an_update_that_overflows_is_named(guard):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    state, control = TrainerState(global_step=4), TrainerControl()
    guard.on_optimizer_step(None, state, control, model=model)
    model[1].bias.data[0] = math.inf
    with pytest.raises(RunFailure, match=r"step 5: 1\.bias is not finite"):
        guard.on_optimizer_step(None, state, control, model=model)


def test_load_finite__names_file_and_tensor(tmp_path):
    path = tmp_path / "adapter_model.safetensors"
    save_file({"a": torch.ones(2), "b": torch.tensor([1.0, math.nan])}, path)
    with pytest.raises(UserError, match=r"adapter_model\.safetensors: tensor b holds values that are not finite"):
        load_finite(path)


def test_lora_start__refuses_an_adapter_that_is_not_finite(tmp_path):
    trainer = credit_trainer(tiny_config(), tmp_path)
    trainer.save_model(str(tmp_path / "saved"))
    path = tmp_path / "saved" / "adapter_model.safetensors"
    tensors = load_file(path)
    spoilt = next(name for name in tensors if "lora_B" in name)
    save_file(tensors | {spoilt: torch.full_like(tensors[spoilt], math.nan)}, path)
    config = tiny_config(lora={"r": 4, "alpha": 8, "start": str(tmp_path / "saved")})
    with pytest.raises(UserError, match=f"saved/adapter_model.safetensors: tensor {spoilt} holds values that are not"):
        credit_trainer(config, tmp_path / "run")
