"""Token credit in GRPO: channels by constraint, readings taken seldom or separately, custom rules."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data import problems
from rewards import verifiers
from rl.common.errors import RunFailure
from rl.config.credit_rules import CREDIT_RULES
from rl.config.root import Config
from rl.runs.jsonl import read_jsonl
from rl.trainers.grpo import CreditGRPOTrainer
from tests.rl.grpo_fixtures import adapter_weights, credit_trainer, outcome, tiny_config

HALF = f"{__file__}:first_half"


def first_half(view: Any, params: Any) -> Tensor:
    """A rule of one's own: the first half of the tokens counts double, the rest not at all."""
    place = view.mask.long().cumsum(dim=1)
    return (2 * place <= view.mask.sum(dim=1, keepdim=True)).float()


def negative(view: Any, params: Any) -> Tensor:
    """A rule of one's own that no advantage can be shared by."""
    return -view.mask.float()


def constrained_config(**sections: dict[str, Any]) -> Config:
    """The tiny config with rewards for constraints too, some of which a random model keeps."""
    rewards = {"satisfaction_weight": 1.0}
    data = {"kinds": ["punctuation:no_comma", "length:word_range", "keywords:existence"], "max_constraints": 2}
    trainer = {"max_steps": 2, "max_completion_length": 16}
    given = {"rewards": rewards, "data": data, "trainer": trainer}
    return tiny_config(**{name: {**given.get(name, {}), **sections.get(name, {})} for name in {*given, *sections}})


class RememberingTrainer(CreditGRPOTrainer):
    """Remembers the batches of the loss and the token advantages assigned to them."""

    def _compute_loss(self, model, inputs):
        loss = super()._compute_loss(model, inputs)
        self.batches = [*getattr(self, "batches", []), inputs]
        return loss

    def _token_advantages(self, live, *read):
        given = super()._token_advantages(live, *read)
        self.assigned = [*getattr(self, "assigned", []), (live, given)]
        return given


def trained(config: Config, folder) -> RememberingTrainer:
    trainer = credit_trainer(config, folder)
    trainer.__class__ = RememberingTrainer
    trainer.train()
    assert isinstance(trainer, RememberingTrainer)
    return trainer


@pytest.mark.parametrize(
    ("rule", "sections"),
    [
        ("constraint", {}),
        ("combined", {}),
        ("constraint", {"rewards": {"satisfaction": "graded"}, "trainer": {"scale_rewards": "batch"}}),
        ("constraint", {"rewards": {"guards": ("distinct_words",)}, "trainer": {"scale_rewards": "none"}}),
        ("constraint", {"trl": {"multi_objective_aggregation": "normalize_then_sum"}}),
    ],
)
def test_channels__sum_to_trls_advantage(rule, sections, tmp_path):
    trainer = trained(constrained_config(credit={"rule": rule, "preserve_mass": True}, **sections), tmp_path)
    assert trainer.assigned, "there was something to share"
    for live, tokens in trainer.assigned:
        channels = live["channel_advantages"]
        assert channels.shape[1] == 1 + live["constraint_satisfied"].shape[1]
        # every channel's weights average 1
        count = live["completion_mask"].sum(dim=1)
        assert torch.allclose(tokens.sum(dim=1), channels.sum(dim=1) * count, atol=1e-4)
    assert trainer.batches
    for batch in trainer.batches:
        assert torch.allclose(batch["channel_advantages"].sum(dim=1), batch["advantages"], atol=1e-5)
    assert any(bool(batch["channel_advantages"][:, 1:].any()) for batch in trainer.batches), (
        "a constraint made a difference"
    )


def test_channels__weigh_a_token_of_evidence_four_times_but_no_text_more_than_its_length(tmp_path):
    trainer = trained(constrained_config(credit={"rule": "constraint"}), tmp_path)
    is_local = False
    for live, tokens in trainer.assigned:
        mask = live["completion_mask"].bool()
        length, count = mask.sum(dim=1, keepdim=True), (live["evidence_tokens"] & mask[:, None]).sum(dim=2)
        mass = torch.where(count > 0, torch.minimum(4 * count, length), length)
        expected = torch.cat([length, mass], dim=1) * live["channel_advantages"]
        assert torch.allclose(tokens.sum(dim=1), expected.sum(dim=1), atol=1e-4)
        is_local |= bool((mass < length).any())
    assert is_local, "there was evidence to weigh"


class Counting(CreditGRPOTrainer):
    """Counts the completions that it rewards, and the constraints on them."""

    def _calculate_rewards(self, inputs, *args):
        self.num_completions = getattr(self, "num_completions", 0) + len(inputs)
        self.num_constraints = getattr(self, "num_constraints", 0) + sum(len(row["constraints"]) for row in inputs)
        return super()._calculate_rewards(inputs, *args)


@pytest.mark.parametrize(
    "sections",
    [
        {"credit": {"rule": "combined"}},
        {"rewards": {"satisfaction_weight": 0.0}, "probe": {"listen": "always", "horizon": [1, 8]}},
        {"rewards": {"separate": True}},
    ],
)
def test_verifiers__run_once_for_each_completion_and_constraint(sections, tmp_path, monkeypatch):
    trainer = credit_trainer(constrained_config(**sections), tmp_path)
    trainer.__class__ = Counting
    verified, parsed = [], []
    check_arguments, identity = verifiers.check_arguments, problems._identity
    monkeypatch.setattr(verifiers, "check_arguments", lambda *args: verified.append(args) or check_arguments(*args))
    monkeypatch.setattr(problems, "_identity", lambda *args: parsed.append(args) or identity(*args))
    trainer.train()
    assert isinstance(trainer, Counting) and trainer.num_constraints > 0
    assert len(verified) == trainer.num_constraints, "credit and the recorder reuse what the rewards were made of"
    assert len(parsed) == trainer.num_completions
    assert read_jsonl(tmp_path / "rollouts.jsonl")


def test_channels__are_in_no_batch_without_a_rule_that_needs_them(tmp_path):
    trainer = trained(constrained_config(credit={"rule": "global_anchor"}, trainer={"max_steps": 1}), tmp_path)
    assert not any(name.startswith(("channel", "evidence", "constraint")) for name in trainer.batches[0])


def test_recorded_rollouts__name_the_channel_that_moved_each_token(tmp_path):
    trained(constrained_config(credit={"rule": "constraint"}, trainer={"max_steps": 1}), tmp_path)
    recorded = read_jsonl(tmp_path / "rollouts.jsonl")
    assert recorded
    for line in recorded:
        assert len(line["channel"]) == len(line["completion_ids"])
        assert set(line["channel"]) <= set(range(len(line["verdicts"]) + 1))


def test_recorded_rollouts__have_every_reading(tmp_path):
    config = constrained_config(probe={"listen": "always", "horizon": [1, 8]}, trainer={"max_steps": 1})
    trainer = trained(config, tmp_path)
    assert not any("channel_advantages" in batch for batch in trainer.batches), "uniform credit splits no advantage"
    recorded = read_jsonl(tmp_path / "rollouts.jsonl")
    assert recorded
    for line in recorded:
        for name in ("weights", "mask", "entropy", "ratio", "fai", "waad"):
            assert len(line[name]) == len(line["completion_ids"]), name
        assert line["ratio"] == pytest.approx([1.0] * len(line["ratio"]), abs=1e-3), "the policy itself sampled"
        assert set(line["mask"]) == set(line["weights"]) == {1.0}
    attention = [verdict["attention"] for line in recorded for verdict in line["verdicts"]]
    assert attention and all(min(curve) > 0.0 for curve in attention)
    (step,) = [line for line in trainer.state.log_history if "loss" in line]
    assert step["probe/constraint_attention_mean"] > 0.0


@pytest.mark.slow
@pytest.mark.parametrize("rule", sorted(name for name, rule in CREDIT_RULES.items() if "all_heads" not in rule.needs))
def test_rules__each_trains(rule, tmp_path):
    config = constrained_config(credit={"rule": rule})
    trainer = credit_trainer(config, tmp_path)
    trainer.train()
    steps = [line for line in trainer.state.log_history if "loss" in line]
    assert len(steps) == 2 and all(line["grad_norm"] > 0.0 for line in steps)
    needs_probe = bool(CREDIT_RULES[rule].needs)
    assert all(("probe/used" in line) == ("probe/fai_mean" in line) == needs_probe for line in steps)


def test_readings__may_be_taken_every_second_step(tmp_path):
    # step 1 has none, so it is uniform's; step 2 has some
    every_second = outcome_of(tiny_config(credit={"rule": "coupled"}, probe={"every": 2}), tmp_path / "second")
    uniform = outcome_of(tiny_config(), tmp_path / "uniform")
    assert [line["probe/used"] for line in every_second[1]] == [0.0, 1.0, 0.0, 1.0]
    assert every_second[0].grad_norms[0] == uniform[0].grad_norms[0]
    assert every_second[0].grad_norms[1] != uniform[0].grad_norms[1]


def outcome_of(config: Config, folder) -> tuple[Any, list[dict[str, float]]]:
    trainer = credit_trainer(config, folder)
    trainer.train()
    return outcome(trainer), [line for line in trainer.state.log_history if "loss" in line]


def test_separate_readings__are_those_of_the_loss_pass(tmp_path):
    # one optimizer step, so both see the weights that sampled; a pass over other rows beside them differs in rounding
    given = {}
    for source in ("loss", "separate"):
        config = constrained_config(
            credit={"rule": "combined"}, probe={"source": source, "horizon": [1, 8]}, trainer={"max_steps": 1}
        )
        trainer = trained(config, tmp_path / source)
        given[source] = {tuple(live["row"]): tokens for live, tokens in trainer.assigned}
    assert given["loss"].keys() == given["separate"].keys()
    assert given["loss"]
    for rows, tokens in given["loss"].items():
        assert torch.allclose(given["separate"][rows], tokens, atol=1e-4)


def test_custom_rule__is_copied_into_the_run_and_followed(tmp_path):
    trainer = trained(tiny_config(credit={"rule": HALF}, trainer={"max_steps": 1}), tmp_path)
    [copy] = (tmp_path / "custom").glob("*.py")
    assert copy.read_text() == Path(__file__).read_text()
    assert trainer.assigned
    for live, tokens in trainer.assigned:
        for row, real in zip(tokens, live["completion_mask"].bool(), strict=True):
            half = int(real.sum()) // 2
            assert not row[half:].any()


def test_custom_rule__with_a_negative_weight_stops_before_the_optimizer_step(tmp_path):
    trainer = credit_trainer(tiny_config(credit={"rule": f"{__file__}:negative"}), tmp_path)
    before = adapter_weights(trainer)
    with pytest.raises(RunFailure, match="negative or non-finite weight"):
        trainer.train()
    assert trainer.state.global_step == 0 and adapter_weights(trainer) == before


def test_faithfulness_check__changes_nothing_for_a_rule_that_passes(tmp_path):
    credit = {"rule": "random", "faithfulness": {"every": 1, "span": 1, "threshold": -1e9}}
    checked, steps = outcome_of(tiny_config(credit=credit), tmp_path / "checked")
    assert steps and all(line["credit/faithful"] == 1.0 for line in steps)
    assert checked == outcome_of(tiny_config(credit={"rule": "random"}), tmp_path / "alone")[0]


def test_faithfulness_check__makes_a_rule_that_fails_uniform(tmp_path, capsys):
    # nothing can reach the threshold: step 1 is the rule's own, the check fails, and from step 2 on all tokens weigh 1
    credit = {"rule": "random", "faithfulness": {"every": 1, "span": 1, "threshold": 1e9}}
    fallen, steps = outcome_of(tiny_config(credit=credit), tmp_path / "fallen")
    alone, _ = outcome_of(tiny_config(credit={"rule": "random"}), tmp_path / "alone")
    assert [line.get("credit/rule_disabled") for line in steps] == [None, 1.0, 1.0, 1.0]
    assert [line["credit/effective_token_ratio"] for line in steps[1:]] == [1.0] * 3
    assert fallen.grad_norms[0] == alone.grad_norms[0] and fallen.grad_norms[1] != alone.grad_norms[1]
    said = [line for line in capsys.readouterr().out.splitlines() if "is random faithful?" in line]
    assert len(said) == 4 and said[0].startswith("step 1: ")
