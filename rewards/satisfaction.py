"""Satisfaction: combines the verdicts about one completion, or about many, into one number.

Verdicts that do not apply are left out; where none is left, the result is None.
"""

from collections.abc import Sequence

from rewards.verdict import Verdict


def num_satisfied(verdicts: Sequence[Verdict]) -> int:
    """Return how many constraints are satisfied: MulDimIF's training reward (arXiv 2505.07591)."""
    return sum(verdict.satisfied is True for verdict in verdicts)


def mean_satisfied(verdicts: Sequence[Verdict]) -> float | None:
    """Return the share of the applicable constraints that are satisfied."""
    outcomes = [verdict.satisfied for verdict in verdicts if verdict.satisfied is not None]
    return sum(outcomes) / len(outcomes) if outcomes else None


def all_satisfied(verdicts: Sequence[Verdict]) -> float | None:
    """Return 1 if every applicable constraint is satisfied, else 0."""
    share = mean_satisfied(verdicts)
    return None if share is None else float(share == 1)


def graded_satisfied(verdicts: Sequence[Verdict]) -> float | None:
    """Return the mean of the applicable constraints' `graded_score`.

    A miss by one earns a quarter and a miss by ten next to nothing, so that completions which all break a rule still
    differ; no miss earns as much as a satisfied rule.
    """
    grades = [graded_score(verdict) for verdict in verdicts if verdict.satisfied is not None]
    return sum(grades) / len(grades) if grades else None


def graded_score(verdict: Verdict) -> float:
    """Return what one applicable constraint earns: 1 if satisfied, else 0.5 / (1 - margin)."""
    return 1.0 if verdict.satisfied else 0.5 / (1.0 - verdict.margin)


def rates_by_kind(verdicts: Sequence[tuple[str, Verdict]]) -> dict[str, float]:
    """Return the satisfaction rate of each kind that applied at least once, from (kind, verdict) pairs."""
    kinds = sorted({kind for kind, _ in verdicts})
    rates = {kind: mean_satisfied([verdict for name, verdict in verdicts if name == kind]) for kind in kinds}
    return {kind: rate for kind, rate in rates.items() if rate is not None}
