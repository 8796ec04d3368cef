"""Faithfulness check: on a policy whose answer depends on one token, with weights on that token and elsewhere."""

from collections.abc import Sequence
from random import Random

import pytest

from rl.config.credit import FaithfulnessConfig
from rl.credit.faithfulness import FaithfulnessResult, Variant, WeightedCompletion, answer_start, check, draw_spans

CAUSE, LENGTH = 7, 40


class OneCause:
    """The answer is sure while token CAUSE has its value, 100 + its row, and hopeless otherwise."""

    def __init__(self):
        self.num_resampled = 0

    def holds(self, row: WeightedCompletion, ids: tuple[int, ...]) -> bool:
        return ids[CAUSE] == row.completion_ids[CAUSE]

    def answer_logprobs(
        self, rows: Sequence[tuple[WeightedCompletion, tuple[int, ...]]], answer: Sequence[int]
    ) -> list[float]:
        return [0.0 if self.holds(row, ids) else -5.0 for row, ids in rows]

    def verdict_changes(self, variants: Sequence[Variant]) -> list[float | None]:
        self.num_resampled += len(variants)
        return [0.0 if self.holds(variant.original, variant.completion_ids) else 1.0 for variant in variants]


def completions(heavy: int, *, count: int = 12) -> list[WeightedCompletion]:
    """Rows of their own tokens, one of them weighed 4 times as much as the rest."""
    return [
        WeightedCompletion(
            prompt_ids=(1, 2),
            completion_ids=tuple(100 * (row + 1) + place for place in range(LENGTH)),
            weights=tuple(4.0 if place == heavy else 1.0 for place in range(LENGTH)),
        )
        for row in range(count)
    ]


def find(heavy: int, **settings) -> FaithfulnessResult:
    return check(OneCause(), completions(heavy), FaithfulnessConfig(every=1, span=1, **settings), seed=0)


def test_check__weights_on_the_cause_are_faithful():
    finding = find(CAUSE)
    # replacing the cause costs 5 nats, replacing any other token nothing
    assert finding.faithful and finding.logprob is not None
    assert (finding.logprob.mean, finding.logprob.low) == (5.0, 5.0)
    assert finding.num_completions == 12 and finding.verdict is None


def test_check__weights_elsewhere_are_not_faithful():
    finding = find(20)
    assert not finding.faithful and finding.logprob is not None
    assert finding.logprob.mean == 0.0


def test_check__weights_next_to_the_cause_are_worse_than_chance():
    # token 6 is heavy; in its tenth (4 to 7) the other span is the cause every third time
    finding = find(6, draws=8)
    assert not finding.faithful and finding.logprob is not None
    assert -5.0 < finding.logprob.mean < 0.0


def test_check__the_threshold_decides():
    assert find(CAUSE, threshold=4.9).faithful
    assert not find(CAUSE, threshold=5.0).faithful


def test_check__compares_verdicts_where_the_config_resamples():
    finding = find(CAUSE, resample=True, measure="verdict")
    assert finding.faithful and finding.verdict is not None
    assert finding.verdict.mean == 1.0


def test_check__leaves_out_completions_without_room():
    short = WeightedCompletion(prompt_ids=(1,), completion_ids=(5, 6), weights=(1.0, 1.0))
    finding = check(OneCause(), [short], FaithfulnessConfig(every=1, span=2), seed=0)
    assert finding == FaithfulnessResult(logprob=None, verdict=None, num_completions=0, faithful=False)
    assert finding.metrics() == {"credit/faithful": 0.0, "credit/faithfulness/completions": 0.0}


@pytest.mark.parametrize(("length", "share", "expected"), [(40, 0.25, 30), (10, 0.25, 8), (3, 0.1, 2), (1, 0.5, 0)])
def test_answer_start__leaves_the_answer_at_least_one_token(length, share, expected):
    row = WeightedCompletion(prompt_ids=(), completion_ids=(0,) * length, weights=(1.0,) * length)
    assert answer_start(row, FaithfulnessConfig(answer_share=share)) == expected


@pytest.mark.parametrize("length", [1, 2, 3])
def test_draw_spans__are_alike_but_for_their_weight(length):
    weights = [1.0] * 100
    weights[43] = 9.0
    for seed in range(200):
        heavy, other = draw_spans(weights, length=length, stop=80, rng=Random(seed)) or (-1, -1)
        assert heavy <= 43 < heavy + length
        assert abs(heavy - other) >= length
        assert heavy // 10 == other // 10, "the same tenth"
        assert max(heavy, other) + length <= 80


def test_draw_spans__take_the_nearest_tenth_with_room():
    # ten tokens: each is a tenth of its own
    heavy, other = draw_spans([1.0] * 4 + [9.0] + [1.0] * 5, length=1, stop=8, rng=Random(0)) or (-1, -1)
    assert heavy == 4 and other in (3, 5)


def test_draw_spans__none_without_room_for_a_second():
    assert draw_spans([1.0] * 10, length=5, stop=7, rng=Random(0)) is None
    assert draw_spans([1.0] * 10, length=5, stop=4, rng=Random(0)) is None


def test_check__is_deterministic():
    assert find(6, draws=4) == find(6, draws=4)
