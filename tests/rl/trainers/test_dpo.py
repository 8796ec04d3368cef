"""DPO: uniform credit is TRL's own training (law 1), and weights apply to policy and reference alike."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from rl.common.errors import UserError
from rl.config.root import Config
from rl.config.trainer import DpoLoss
from rl.train import train
from tests.rl.dpo_fixtures import (
    comma_pair,
    credit_dpo_trainer,
    plain_dpo_config,
    plain_dpo_trainer,
    tiny_dpo_config,
    write_pairs,
)
from tests.rl.grpo_fixtures import Outcome, outcome

SMOOTHED = {"exo_pair", "robust"}


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_pairs(tmp_path)


def trained(config: Config, folder: Path) -> Outcome:
    trainer = credit_dpo_trainer(config, folder)
    trainer.train()
    return outcome(trainer)


def trained_plainly(config: Config, folder: Path) -> Outcome:
    trainer = plain_dpo_trainer(config, folder)
    trainer.train()
    return outcome(trainer)


def loss_settings(loss_type: str) -> dict[str, Any]:
    return {"loss_type": [loss_type], "label_smoothing": 0.1 if loss_type in SMOOTHED else 0.0}


def test_uniform_credit__is_plain_dpo(pairs, tmp_path):
    config = plain_dpo_config(pairs)
    plain = trained_plainly(config, tmp_path / "plain")
    assert len(plain.losses) == 3 and all(plain.grad_norms), "there was something to learn"
    assert trained(config, tmp_path / "off") == plain
    assert trained(plain_dpo_config(pairs, probe={"listen": "always"}), tmp_path / "recording") == plain


def test_listen_always__reads_attention_to_the_constraints(pairs, tmp_path):
    trainer = credit_dpo_trainer(tiny_dpo_config(pairs, probe={"listen": "always"}), tmp_path)
    trainer.train()
    steps = [line for line in trainer.state.log_history if "loss" in line]
    assert steps and all(line["probe/constraint_attention_mean"] > 0.0 for line in steps)


@pytest.mark.slow
@pytest.mark.parametrize("loss_type", get_args(DpoLoss))
def test_uniform_credit__is_plain_dpo_under_every_loss(loss_type, pairs, tmp_path):
    config = plain_dpo_config(pairs, dpo=loss_settings(loss_type), probe={"listen": "always"})
    assert trained(config, tmp_path / "credit") == trained_plainly(config, tmp_path / "plain")


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"dpo": {"precompute_ref_log_probs": True}},
        {"dpo": {"use_weighting": True}},
        {"dpo": {"ld_alpha": 0.5}},
        {"dpo": {"disable_dropout": False}, "lora": {"dropout": 0.2}},
        {"trainer": {"gradient_checkpointing": True}},
        {"credit": {"preserve_mass": False}},
    ],
)
def test_uniform_credit__is_plain_dpo_under_other_settings(changes, pairs, tmp_path):
    config = plain_dpo_config(pairs, **changes)
    assert trained(config, tmp_path / "credit") == trained_plainly(config, tmp_path / "plain")


@pytest.mark.slow
@pytest.mark.parametrize("loss_type", sorted(set(get_args(DpoLoss)) - {"sft"}))
def test_constraint_credit__works_with_every_loss(loss_type, pairs, tmp_path):
    config = tiny_dpo_config(pairs, dpo=loss_settings(loss_type), credit={"rule": "constraint"})
    shared = trained(config, tmp_path / "credit")
    uniform = trained(tiny_dpo_config(pairs, dpo=loss_settings(loss_type)), tmp_path / "uniform")
    # the first step tells: a hinge whose pairs are past their margin has no gradient left
    assert 0.0 < shared.grad_norms[0] != uniform.grad_norms[0]


def test_constraint_credit__weights_the_comma(pairs, tmp_path):
    trainer = credit_dpo_trainer(tiny_dpo_config(pairs, credit={"rule": "constraint"}), tmp_path)
    weights = watch_weights(trainer)
    trainer.train()
    tokenizer = trainer.policy_tokenizer
    assert weights
    for ids, row, mask in weights:
        for chosen in (True, False):
            half = slice(0, len(ids) // 2) if chosen else slice(len(ids) // 2, None)
            for tokens, shares, real in zip(ids[half], row[half], mask[half], strict=True):
                heavy = tokenizer.decode(tokens[shares > 0.0])
                # the rejected answer's comma breaks the rule; the chosen one keeps it by saying nothing, with all of it
                assert (heavy == ",") is not chosen
                assert shares[real].mean().item() == pytest.approx(1.0)


def watch_weights(trainer) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(ids, weights, mask) of each loss, filled while the trainer trains."""
    seen = []
    weigh = trainer._token_weights

    def watching(live, entropy):
        weights = weigh(live, entropy)
        seen.append((live.inputs["input_ids"][:, 1:], weights, live.inputs["completion_mask"][:, 1:].bool()))
        return weights

    trainer._token_weights = watching
    return seen


def test_loss__is_that_of_weighted_log_ratios(pairs, tmp_path):
    # -log sigmoid(beta (sum_t w_t r_t of the chosen - the same of the rejected)), r = log policy - log reference
    trainer = credit_dpo_trainer(tiny_dpo_config(pairs, dpo={"beta": 0.5}), tmp_path)
    trainer.train()
    policy = trainer.policy.eval()
    inputs = trainer.data_collator([trainer.train_dataset[row] for row in range(2)])
    weights = torch.rand(4, inputs["input_ids"].shape[1] - 1, generator=torch.Generator().manual_seed(0))
    trainer._token_weights = lambda live, entropy: weights
    loss = trainer._compute_loss(policy, inputs, return_outputs=False).item()

    ids, real = inputs["input_ids"], inputs["completion_mask"][:, 1:]
    with torch.no_grad():
        ratios = log_probs(policy, inputs)
        with policy.disable_adapter():
            ratios = (ratios - log_probs(policy, inputs)) * weights * real
    chosen, rejected = ratios.sum(dim=1).tensor_split(2)
    assert ids.shape[0] == 4
    assert loss == pytest.approx(-torch.nn.functional.logsigmoid(0.5 * (chosen - rejected)).mean().item(), abs=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dpo": {"max_length": 40}},
        {"trainer": {"gradient_checkpointing": True}},
        {"trainer": {"tokens_per_row": 4096}},
    ],
)
@pytest.mark.parametrize("rule", ["uniform", "constraint", "global_anchor"])
def test_shared_prompts__give_the_same_loss_and_gradient(rule, changes, pairs, tmp_path):
    trainer = credit_dpo_trainer(tiny_dpo_config(pairs, credit={"rule": rule}, **changes), tmp_path)
    trainer.train()
    inputs = trainer.data_collator([trainer.train_dataset[row] for row in range(2)])
    outcomes = []
    for trainer.shares_prompts in (True, False):
        with trainer._step_gates:
            loss = trainer._compute_loss(trainer.model.train(), inputs, return_outputs=False)
            weights = [weight for weight in trainer.model.parameters() if weight.requires_grad]
            gradient = torch.cat([part.flatten() for part in torch.autograd.grad(loss, weights)])
        outcomes.append((loss.item(), gradient))
    (loss, gradient), (expected_loss, expected_gradient) = outcomes
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    assert (gradient - expected_gradient).norm() <= 1e-4 * expected_gradient.norm()


@pytest.mark.filterwarnings("ignore:.*keep_end")
@pytest.mark.parametrize("truncation_mode", ["keep_start", "keep_end"])
def test_packing__shares_only_prompts_that_are_the_same(truncation_mode, pairs, tmp_path):
    config = tiny_dpo_config(pairs, dpo={"max_length": 30}, trl={"truncation_mode": truncation_mode})
    trainer = credit_dpo_trainer(config, tmp_path)
    inputs = trainer.data_collator([trainer.train_dataset[row] for row in range(2)])
    with trainer._packing(inputs) as shared:
        assert shared is not None
        for [group] in shared.rows:
            prompts = {tuple(inputs["input_ids"][row, : group.prompt_length].tolist()) for row in group.rows}
            assert len(prompts) == 1


def log_probs(policy, inputs) -> Tensor:
    ids = inputs["input_ids"]
    logits = policy(input_ids=ids, attention_mask=inputs["attention_mask"]).logits
    return torch.log_softmax(logits[:, :-1], dim=-1).gather(2, ids[:, 1:, None]).squeeze(2)


def test_metrics__credit_is_logged_each_step(pairs, tmp_path):
    trainer = credit_dpo_trainer(tiny_dpo_config(pairs, credit={"rule": "coupled"}), tmp_path)
    trainer.train()
    steps = [line for line in trainer.state.log_history if "loss" in line]
    assert len(steps) == 3 and all(0.0 < line["credit/gini"] < 1.0 and line["probe/used"] == 1.0 for line in steps)


def test_truncated_answer__keeps_the_evidence_it_has(pairs, tmp_path):
    longest = max(len(row["prompt_ids"] + row["rejected_ids"]) for row in untrained_rows(pairs, tmp_path))
    config = tiny_dpo_config(pairs, credit={"rule": "constraint"}, dpo={"max_length": longest - 4})
    grad_norms = trained(config, tmp_path / "cut").grad_norms
    assert len(grad_norms) == 3 and all(grad_norms)


def untrained_rows(pairs: Path, folder: Path):
    return credit_dpo_trainer(tiny_dpo_config(pairs), folder / "rows").train_dataset


def test_resume__gives_the_same_bits(pairs, tmp_path):
    config = tiny_dpo_config(pairs, credit={"rule": "random"}, trainer={"save_steps": 2})
    whole = credit_dpo_trainer(config, tmp_path / "whole")
    whole.train()
    again = credit_dpo_trainer(config, tmp_path / "again")
    again.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-2"))
    assert outcome(again) == outcome(whole)


def test_one_adapter_with_gate_one__is_plain_lora(pairs, tmp_path):
    neutral = {"adapters": ["default"], "router": "fixed", "weights": {"default": 1.0}, "top": None}
    routed = tiny_dpo_config(pairs, credit={"rule": "uniform"}, routing=neutral)
    plain = tiny_dpo_config(pairs, credit={"rule": "uniform"})
    assert trained(routed, tmp_path / "routed") == trained(plain, tmp_path / "plain")


def test_resume__of_a_routed_run_gives_the_same_bits(pairs, tmp_path):
    routing = {"adapters": ["left", "right"], "router": "attention", "learn": "policy", "top": None}
    config = tiny_dpo_config(pairs, credit={"rule": "random"}, routing=routing, trainer={"save_steps": 2})
    whole = credit_dpo_trainer(config, tmp_path / "whole")
    whole.train()
    again = credit_dpo_trainer(config, tmp_path / "again")
    again.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-2"))
    assert outcome(again) == outcome(whole)
    moved = [name for name, weight in whole.policy.named_parameters() if "lora_B" in name and weight.any()]
    assert any(".left." in name for name in moved)
    assert any(".right." in name for name in moved)


def test_train__makes_an_adapter_of_pairs(pairs, tmp_path):
    config = tiny_dpo_config(pairs, credit={"rule": "constraint"}, run={"folder": str(tmp_path / "run")})
    with redirect_stdout(io.StringIO()) as printed:
        folder = train(config)
    assert (folder / "adapters" / "default" / "adapter_model.safetensors").is_file()
    assert "Held-out constraints satisfied" in printed.getvalue()
    assert (folder / "summary.json").is_file()


def test_build_trainer__prompts_that_fill_all_pairs_are_an_error(pairs, tmp_path):
    with pytest.raises(UserError, match=r"dpo\.max_length=4 is filled by the prompt of each of the 6 pairs"):
        credit_dpo_trainer(tiny_dpo_config(pairs, dpo={"max_length": 4}), tmp_path)


def test_comma_pair__differs_in_one_comma():
    pair = comma_pair("rain")
    assert pair.differs_on == ("punctuation:no_comma",)
    assert pair.rejected.verdicts[0].evidence == ((15, 16),)
