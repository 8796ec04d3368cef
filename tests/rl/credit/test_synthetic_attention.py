"""Planted causes: a rule finds what was put there, and the faithfulness check tells a cause from a bait."""

import math
from collections.abc import Sequence
from functools import cache

import pytest
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from rl.config.credit import CreditConfig, FaithfulnessConfig, ProbeConfig
from rl.credit.assigner import CreditAssigner
from rl.credit.faithfulness import FaithfulnessResult, Variant, WeightedCompletion, check
from rl.credit.inputs import CreditInputs, Evidence
from tests.rl.synthetic_attention import PlantedSequences, trained_on, with_bait, with_cause

pytestmark = pytest.mark.slow

NUM_SEQUENCES, UNSEEN, STEPS = 96, 1_000_000, 400
SETTINGS = FaithfulnessConfig(every=1, span=1, draws=6, answer_share=0.25, threshold=0.5)
"""In nats: the cause is worth several (the key is one of ten), and chance differs from model to model by up to 0.3."""
Q = 0.03
"""One token of the 32 is planted, so one is to be found; a share of three would bury it under its own ties."""
PROBE = ProbeConfig(horizon=(4, 30), window=4, layers=(0, 1))


@cache
def model_of(task) -> LlamaForCausalLM:
    """Trained once for all tests of this file."""
    return trained_on(task, steps=STEPS)


def weights_of(rule: str, task) -> tuple[Tensor, PlantedSequences]:
    """(B, T): how the rule weighs sequences that the model never saw."""
    planted = task(NUM_SEQUENCES, seed=UNSEEN)
    shape = (NUM_SEQUENCES, planted.num_completion_tokens)
    assigner = CreditAssigner(CreditConfig(rule=rule, q=Q), PROBE, seed=0)
    with torch.no_grad(), assigner.recording(model_of(task), step=0) as recorder:
        model_of(task)(input_ids=planted.ids)
    probe_readings = None if recorder is None else assigner.reader.read(recorder, shape[1])
    tokens = torch.nn.functional.one_hot(torch.tensor(planted.positions), shape[1])[:, None].bool()
    inputs = CreditInputs(
        mask=torch.ones(shape, dtype=torch.bool),
        entropy=torch.zeros(shape),
        fai=None if probe_readings is None else probe_readings.fai,
        waad=None if probe_readings is None else probe_readings.waad,
        evidence=Evidence(tokens=tokens, failed=torch.zeros(NUM_SEQUENCES, 1, dtype=torch.bool)),
    )
    # the constraint's own channel, where a rule has one
    return assigner.weights(inputs, step=0, micro_step=0)[:, -1], planted


def on_the_planted(weights: Tensor, planted: PlantedSequences) -> Tensor:
    return weights[torch.arange(NUM_SEQUENCES), torch.tensor(planted.positions)]


def one_sided_p(differences: Tensor) -> float:
    """Of a mean above 0, by the normal approximation (96 sequences)."""
    z = differences.mean() / (differences.std() / math.sqrt(len(differences)) + 1e-12)
    return 0.5 * math.erfc(z.item() / math.sqrt(2))


class TrainedPolicy:
    """Asks the trained model for the log-probs of the answers."""

    def __init__(self, model: LlamaForCausalLM):
        self.model = model

    @torch.no_grad()
    def answer_logprobs(
        self, rows: Sequence[tuple[WeightedCompletion, tuple[int, ...]]], answer: Sequence[int]
    ) -> list[float]:
        ids = torch.tensor([[*row.prompt_ids, *completion] for row, completion in rows])
        logprobs = torch.log_softmax(self.model(input_ids=ids).logits[:, :-1], dim=-1)
        logprobs = logprobs.gather(2, ids[:, 1:, None]).squeeze(2)
        starts = torch.tensor(
            [len(row.prompt_ids) + start for row, start in zip([r for r, _ in rows], answer, strict=True)]
        )
        asked = torch.arange(1, ids.shape[1]) >= starts[:, None]
        return (logprobs * asked).sum(dim=1).tolist()

    def verdict_changes(self, variants: Sequence[Variant]) -> list[float | None]:
        raise AssertionError("nothing is resampled here")


def judged(weights: Tensor, planted: PlantedSequences, task) -> FaithfulnessResult:
    start = planted.num_prompt_tokens
    rows = [
        WeightedCompletion(prompt_ids=tuple(ids[:start]), completion_ids=tuple(ids[start:]), weights=tuple(row))
        for ids, row in zip(planted.ids.tolist(), weights.tolist(), strict=True)
    ]
    return check(TrainedPolicy(model_of(task)), rows, SETTINGS, seed=0)


def test_the_model_has_learnt_what_causes_the_answer():
    planted = with_cause(NUM_SEQUENCES, seed=UNSEEN)
    with torch.no_grad():
        guess = model_of(with_cause)(input_ids=planted.ids).logits[:, -2].argmax(dim=1)
    assert (guess == planted.ids[:, -1]).float().mean() > 0.9


@pytest.mark.parametrize("rule", ["constraint", "coupled"])
def test_a_rule_puts_more_on_the_cause_than_chance_does(rule):
    chance = on_the_planted(*weights_of("random", with_cause))
    assert one_sided_p(on_the_planted(*weights_of(rule, with_cause)) - chance) < 0.01


@pytest.mark.parametrize("rule", ["constraint", "coupled"])
def test_the_check_accepts_weights_on_the_cause(rule):
    assert judged(*weights_of(rule, with_cause), with_cause).faithful


def test_the_check_rejects_noise():
    assert not judged(*weights_of("random", with_cause), with_cause).faithful


def test_the_check_rejects_the_bait_that_is_looked_at_and_causes_nothing():
    # all the weight on the bait, as a rule that trusts attention may put it
    assert not judged(*weights_of("constraint", with_bait), with_bait).faithful
