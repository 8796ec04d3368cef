"""Dataset summary: how many problems of each sort there are, and which can be satisfied."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from data.conflicts import conflict
from data.constraints import KINDS
from data.problems import Problem, user_text
from data.sources import first_text
from data.verdicts import verdicts_for
from data.witness import witness
from rewards.verdict import Verdict

ANSWER_COLUMNS = ("completion", "response")
"""Columns in which a file may hold an answer to each prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetCounts:
    """The number of problems of each sort."""

    num_problems: int
    kinds: dict[str, int]
    levels: dict[str, int]
    patterns: dict[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Soundness:
    """How many problems can be satisfied, and what is wrong with the others."""

    proved: int
    """Problems with a known text that satisfies every constraint."""
    conflicting: dict[str, int]
    """Reason -> number of problems in which two constraints conflict."""
    without_span: int
    """Constraints whose position in the prompt is unknown."""
    wrong_span: int
    """Constraints whose span does not hold their words."""


def count(problems: Sequence[Problem]) -> DatasetCounts:
    """Count the problems by kind of constraint, level and pattern; a level is the number of main categories."""
    return DatasetCounts(
        num_problems=len(problems),
        kinds=_sorted(Counter(spec.id for problem in problems for spec in problem.constraints)),
        levels=_sorted(Counter(str(level(problem)) for problem in problems)),
        patterns=_sorted(Counter(str(problem.extras.get("pattern", "unknown")) for problem in problems)),
    )


def level(problem: Problem) -> int:
    """Return the number of main categories of a problem's constraints; custom kinds count as one more."""
    return len({KINDS[spec.id].category if spec.id in KINDS else "custom" for spec in problem.constraints})


def soundness(problems: Iterable[Problem]) -> Soundness:
    """Check every problem for conflicts, a witness and wrong spans."""
    proved = without_span = wrong_span = 0
    conflicting = Counter[str]()
    for problem in problems:
        constraints = [(spec.id, spec.kwargs) for spec in problem.constraints]
        reasons = {conflict(one, other) for one, other in combinations(constraints, 2)} - {None}
        conflicting.update(str(reason) for reason in reasons)
        proved += witness(constraints, prompt=user_text(problem)) is not None
        without_span += sum(not spec.spans for spec in problem.constraints)
        wrong_span += _num_wrong_spans(problem)
    return Soundness(proved=proved, conflicting=_sorted(conflicting), without_span=without_span, wrong_span=wrong_span)


def answer_of(problem: Problem) -> str | None:
    """Return the answer that stands in the problem's row; None if there is none."""
    return first_text(dict(problem.extras), ANSWER_COLUMNS)


def answer_verdicts(problems: Iterable[Problem]) -> list[tuple[str, Verdict]]:
    """Return the kind and verdict of every constraint of every problem that has an answer."""
    verdicts: list[tuple[str, Verdict]] = []
    for problem in problems:
        answer = next((problem.extras[name] for name in ANSWER_COLUMNS if problem.extras.get(name) is not None), None)
        if isinstance(answer, str):
            kinds = [spec.id for spec in problem.constraints]
            verdicts += zip(kinds, verdicts_for(problem, answer), strict=True)
    return verdicts


def _num_wrong_spans(problem: Problem) -> int:
    text = user_text(problem).lower()
    span_texts = [(text[slice(*span)], spec.text.lower()) for spec in problem.constraints for span in spec.spans]
    return sum(actual not in (stated, stated.rstrip(".")) for actual, stated in span_texts if stated)


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(counts.most_common())
