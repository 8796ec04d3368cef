"""Faithfulness check: whether replacing heavily weighted spans changes the answer more than replacing others."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol, runtime_checkable

from rl.common.intervals import Interval, bootstrap_interval
from rl.config.credit import FaithfulnessConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightedCompletion:
    """One completion, and the weight that a credit rule gave each of its tokens.

    Example:
        WeightedCompletion(prompt_ids=(1, 52, 7), completion_ids=(12, 2), weights=(1.25, 0.75))
    """

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A completion with one span replaced."""

    original: WeightedCompletion
    completion_ids: tuple[int, ...]
    end: int
    """Index after the replaced span."""


@runtime_checkable
class CounterfactualPolicy(Protocol):
    """The policy as the check uses it."""

    def answer_logprobs(
        self, rows: Sequence[tuple[WeightedCompletion, tuple[int, ...]]], answer: Sequence[int]
    ) -> list[float]:
        """Return the summed log-prob of the tokens from `answer[i]` on, in each completion given for its prompt."""
        ...

    def verdict_changes(self, variants: Sequence[Variant]) -> list[float | None]:
        """Return how far the verdict falls when the policy continues after each replaced span; None without one."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class FaithfulnessResult:
    """Effect of replacing heavy spans minus that of replacing random ones, mean over completions."""

    logprob: Interval | None
    """In nats of the answer's log-prob."""
    verdict: Interval | None
    """In units of the verdicts' score; None if nothing was resampled."""
    num_completions: int
    faithful: bool
    """The whole interval of `settings.measure` lies above the threshold."""

    def metrics(self) -> dict[str, float]:
        """Return the numbers to log."""
        metrics = {
            "credit/faithful": float(self.faithful),
            "credit/faithfulness/completions": float(self.num_completions),
        }
        for name, interval in (("logprob", self.logprob), ("verdict", self.verdict)):
            if interval is not None:
                metrics |= {
                    f"credit/faithfulness/{name}": interval.mean,
                    f"credit/faithfulness/{name}_low": interval.low,
                }
        return metrics


def check(
    policy: CounterfactualPolicy, completions: Sequence[WeightedCompletion], settings: FaithfulnessConfig, *, seed: int
) -> FaithfulnessResult:
    """Replace spans of each completion, `settings.draws` times, and compare heavy spans with random ones.

    Both spans have the same length and position decile and end before the answer, the last `answer_share` of the
    completion. The new tokens are drawn from all completions. Completions too short for it are left out.
    """
    rng = Random(f"faithfulness-{seed}")
    pool = [token for row in completions for token in row.completion_ids]
    trials: list[tuple[Variant, Variant]] = []
    for row in completions:
        for _ in range(settings.draws):
            spans = draw_spans(row.weights, length=settings.span, stop=answer_start(row, settings), rng=rng)
            if spans is not None:
                heavy, other = (_replaced(row, start, settings.span, pool, rng) for start in spans)
                trials.append((heavy, other))
    measures: dict[str, Interval | None] = {"logprob": None, "verdict": None}
    if trials:
        measures["logprob"] = _interval(trials, _logprob_effects(policy, trials, settings), seed)
    if trials and settings.resample:
        falls = policy.verdict_changes([variant for trial in trials for variant in trial])
        measures["verdict"] = _interval(trials, _differences(falls), seed)
    decisive = measures[settings.measure]
    return FaithfulnessResult(
        logprob=measures["logprob"],
        verdict=measures["verdict"],
        num_completions=len({id(heavy.original) for heavy, _ in trials}),
        faithful=decisive is not None and decisive.low > settings.threshold,
    )


def answer_start(row: WeightedCompletion, settings: FaithfulnessConfig) -> int:
    """Return the index at which the answer begins; it has at least one token."""
    length = len(row.completion_ids)
    return length - max(1, round(settings.answer_share * length))


def draw_spans(weights: Sequence[float], *, length: int, stop: int, rng: Random) -> tuple[int, int] | None:
    """Return the starts of a heaviest span and of another one within the first `stop` tokens; None without room.

    Equally heavy spans are drawn from at random. The other span does not overlap the heavy one, and lies in the same
    tenth of the completion, or in the nearest tenth that has room.
    """
    starts = range(max(0, stop - length + 1))
    if not starts:
        return None
    totals = [sum(weights[start : start + length]) for start in starts]
    heaviest = max(totals)
    heavy = rng.choice([start for start in starts if totals[start] >= heaviest - 1e-9])
    apart = [start for start in starts if abs(start - heavy) >= length]
    if not apart:
        return None

    def distance(start: int) -> int:
        return abs(start * 10 // len(weights) - heavy * 10 // len(weights))

    nearest = min(distance(start) for start in apart)
    return heavy, rng.choice([start for start in apart if distance(start) == nearest])


def _replaced(row: WeightedCompletion, start: int, length: int, pool: Sequence[int], rng: Random) -> Variant:
    ids, end = list(row.completion_ids), start + length
    for index in range(start, end):
        others = [token for token in rng.choices(pool, k=32) if token != ids[index]]
        ids[index] = others[0] if others else ids[index]
    return Variant(original=row, completion_ids=tuple(ids), end=end)


def _logprob_effects(
    policy: CounterfactualPolicy, trials: Sequence[tuple[Variant, Variant]], settings: FaithfulnessConfig
) -> list[float | None]:
    """Return by how much more the answer's log-prob falls for the heavy span than for the other."""
    variants = [variant for trial in trials for variant in trial]
    rows = [(variant.original, variant.completion_ids) for variant in variants]
    after = policy.answer_logprobs(rows, [answer_start(row, settings) for row, _ in rows])
    # Both falls are from the same original, whose log-prob cancels in the difference.
    return _differences([-value for value in after])


def _differences(falls: Sequence[float | None]) -> list[float | None]:
    pairs = zip(falls[::2], falls[1::2], strict=True)
    return [None if heavy is None or other is None else heavy - other for heavy, other in pairs]


def _interval(
    trials: Sequence[tuple[Variant, Variant]], differences: Sequence[float | None], seed: int
) -> Interval | None:
    """Return the interval over completions, each by the mean of its draws, since those are not independent."""
    by_row: dict[int, list[float]] = {}
    for (heavy, _), difference in zip(trials, differences, strict=True):
        if difference is not None:
            by_row.setdefault(id(heavy.original), []).append(difference)
    means = [sum(values) / len(values) for values in by_row.values()]
    return bootstrap_interval(means, seed=seed) if means else None
