"""Report: what a set of problems holds, counted, and whether it keeps its promises."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from data.conflicts import conflict
from data.constraints import KINDS
from data.problems import Problem, user_text
from data.witness import witness
from rewards.verdict import Verdict
from rewards.verifiers import verify

ANSWER_COLUMNS = ("completion", "response")
"""Columns in which a file may bring an answer to each prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """How many problems there are of each sort."""

    num_problems: int
    kinds: dict[str, int]
    levels: dict[str, int]
    patterns: dict[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Soundness:
    """How many problems can be satisfied, and what is wrong with the others."""

    proved: int
    """A text is known that keeps every constraint of the problem."""
    conflicting: dict[str, int]
    """Reason -> problems in which two constraints conflict."""
    unplaced: int
    """Constraints whose place in the prompt is not known."""
    misplaced: int
    """Constraints whose span does not hold their words."""


def count(problems: Sequence[Problem]) -> Counts:
    """Problems by kind of constraint, level and pattern; a level is the number of main categories."""
    return Counts(
        num_problems=len(problems),
        kinds=_sorted(Counter(spec.id for problem in problems for spec in problem.constraints)),
        levels=_sorted(Counter(str(level(problem)) for problem in problems)),
        patterns=_sorted(Counter(str(problem.extras.get("pattern", "unknown")) for problem in problems)),
    )


def level(problem: Problem) -> int:
    """The number of main categories its constraints come from; kinds of the user's are one more."""
    return len({KINDS[spec.id].category if spec.id in KINDS else "own" for spec in problem.constraints})


def soundness(problems: Iterable[Problem]) -> Soundness:
    """Look for conflicts, witnesses and misplaced spans in every problem."""
    proved = unplaced = misplaced = 0
    conflicting = Counter[str]()
    for problem in problems:
        constraints = [(spec.id, spec.kwargs) for spec in problem.constraints]
        reasons = {conflict(one, other) for one, other in combinations(constraints, 2)} - {None}
        conflicting.update(str(reason) for reason in reasons)
        proved += witness(constraints, prompt=user_text(problem)) is not None
        unplaced += sum(not spec.spans for spec in problem.constraints)
        misplaced += _misplaced(problem)
    return Soundness(proved=proved, conflicting=_sorted(conflicting), unplaced=unplaced, misplaced=misplaced)


def judged(problems: Iterable[Problem]) -> list[tuple[str, Verdict]]:
    """Kind and verdict of every constraint of every problem that brings an answer with it."""
    found = []
    for problem in problems:
        answer = next((problem.extras[name] for name in ANSWER_COLUMNS if problem.extras.get(name) is not None), None)
        if isinstance(answer, str):
            prompt = user_text(problem)
            found += [(spec.id, verify(spec.id, answer, prompt=prompt, **spec.kwargs)) for spec in problem.constraints]
    return found


def _misplaced(problem: Problem) -> int:
    text = user_text(problem).lower()
    held = [(text[slice(*span)], spec.text.lower()) for spec in problem.constraints for span in spec.spans]
    return sum(words not in (wanted, wanted.rstrip(".")) for words, wanted in held if wanted)


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(counts.most_common())
