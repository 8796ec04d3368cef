"""Preference pairs: two answers to one prompt, the one that satisfies more constraints first."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from typing import Any, Literal

from data.problems import Problem, chat_message, from_row, to_row, user_text
from data.reasoning import ReasoningTags, split_written
from data.verdicts import verdicts_for
from rewards.errors import InputError
from rewards.satisfaction import mean_satisfied
from rewards.verdict import Verdict

PairKind = Literal["best_worst", "minimal", "confusion"]
Margins = Callable[[Problem, Sequence[str]], Sequence[Sequence[float]]]
"""A problem and answers to it -> for each answer, each constraint's margin: below 0 where the answer attends to another
constraint in its place; NaN where that is undefined."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredAnswer:
    """A completion and one verdict for each constraint of its problem, in order; evidence is of the whole text."""

    text: str
    verdicts: tuple[Verdict, ...]
    score: float
    """Constraint satisfaction rate: the share of the applicable constraints it satisfies (arXiv 2403.06326)."""
    answer_start: int = 0
    """Where the answer, which the verdicts are about, begins in the text; before it stands a thought."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PreferencePair:
    """Two scored answers to one problem.

    Example:
        PreferencePair(problem=problem, chosen=judge(problem, "Rain falls."), rejected=judge(problem, "Rain, rain."),
                       kind="minimal", differs_on=("punctuation:no_comma",))
    """

    problem: Problem
    chosen: ScoredAnswer
    rejected: ScoredAnswer
    kind: PairKind
    differs_on: tuple[str, ...]
    """Ids of the constraints on which the two verdicts differ."""


def score_answer(problem: Problem, completion: str, tags: ReasoningTags | None = None) -> ScoredAnswer | None:
    """Return the completion with its verdicts and score; None if no constraint of the problem applies to it.

    What stands behind a thought between `tags` is judged.
    """
    split = split_written(completion, tags)
    verdicts = verdicts_for(problem, split.answer)
    score = mean_satisfied(verdicts)
    if score is None:
        return None
    shifted = tuple(verdict.shifted(split.start) for verdict in verdicts)
    return ScoredAnswer(text=completion, verdicts=shifted, score=score, answer_start=split.start)


def best_and_worst(
    problem: Problem, answers: Sequence[ScoredAnswer], *, minimum_gap: float = 0.0, length_ratio: float | None = None
) -> PreferencePair | None:
    """Return the pair with the widest gap in score, or None if no gap is positive and at least `minimum_gap`.

    With `length_ratio` only pairs count whose longer text has at most that many times the characters of the shorter:
    length alone must not distinguish them. Ties go to the pair that is closest in length, then to the earlier answers.
    """
    if length_ratio is not None and length_ratio < 1:
        raise InputError(f"length_ratio must be at least 1, got {length_ratio}")
    pairs = [
        (chosen, rejected)
        for chosen, rejected in permutations(answers, 2)
        if chosen.score > rejected.score and chosen.score - rejected.score >= minimum_gap
        if length_ratio is None or _length_ratio(chosen, rejected) <= length_ratio
    ]
    if not pairs:
        return None
    chosen, rejected = max(pairs, key=lambda pair: (pair[0].score - pair[1].score, -_length_ratio(*pair)))
    return _pair(problem, chosen, rejected, "best_worst")


def minimal_pairs(problem: Problem, answers: Sequence[ScoredAnswer]) -> list[PreferencePair]:
    """Return for each constraint the two answers closest in length that differ in its verdict and in no other."""
    closest: dict[int, tuple[ScoredAnswer, ScoredAnswer]] = {}
    for chosen, rejected in permutations(answers, 2):
        differing = _differences(chosen, rejected)
        if len(differing) == 1 and chosen.score > rejected.score:
            best_so_far = closest.get(differing[0])
            if best_so_far is None or _length_ratio(chosen, rejected) < _length_ratio(*best_so_far):
                closest[differing[0]] = (chosen, rejected)
    return [_pair(problem, *closest[index], "minimal") for index in sorted(closest)]


def confusion_pairs(
    problem: Problem, answers: Sequence[ScoredAnswer], margins: Sequence[Sequence[float]]
) -> list[PreferencePair]:
    """Return for each constraint the two answers that differ most in what they listened to.

    The chosen one satisfies the constraint and attends to it more than to any other (a margin above 0), the rejected
    one violates it and attends to another more; the chosen one's score must be higher.
    """
    pairs = []
    rows = list(zip(answers, margins, strict=True))
    for index in range(len(problem.constraints)):
        widest = max(
            (
                (heard[index] - confused[index], place, chosen, rejected)
                for place, ((chosen, heard), (rejected, confused)) in enumerate(permutations(rows, 2))
                if chosen.verdicts[index].satisfied is True and rejected.verdicts[index].satisfied is False
                if heard[index] > 0.0 > confused[index] and chosen.score > rejected.score
            ),
            key=lambda found: (found[0], -found[1]),
            default=None,
        )
        if widest is not None:
            pairs.append(_pair(problem, *widest[2:], "confusion"))
    return pairs


def preference_pairs(
    samples: Iterable[tuple[Problem, Sequence[str]]],
    *,
    minimum_gap: float = 0.0,
    length_ratio: float | None = None,
    minimal: bool = False,
    margins: Margins | None = None,
    tags: ReasoningTags | None = None,
) -> list[PreferencePair]:
    """Return pairs of completions of each problem: best against worst, and with `minimal` the minimal pairs too.

    A completion is judged by what stands behind its thought between `tags`. With `margins`, the pairs that differ in
    what they listened to, instead.
    """
    pairs: list[PreferencePair] = []
    for problem, completions in samples:
        scored = [score_answer(problem, text, tags) for text in dict.fromkeys(completions)]
        answers = [answer for answer in scored if answer is not None]
        if margins is not None:
            pairs += confusion_pairs(problem, answers, margins(problem, [answer.text for answer in answers]))
            continue
        widest = best_and_worst(problem, answers, minimum_gap=minimum_gap, length_ratio=length_ratio)
        pairs += [] if widest is None else [widest]
        pairs += minimal_pairs(problem, answers) if minimal else []
    return deduplicate(pairs)


def deduplicate(pairs: Iterable[PreferencePair]) -> list[PreferencePair]:
    """Return the first of all pairs with the same prompt and the same two answers, ignoring white space at the ends."""
    first: dict[tuple[str, str, str], PreferencePair] = {}
    for pair in pairs:
        key = (user_text(pair.problem).strip(), pair.chosen.text.strip(), pair.rejected.text.strip())
        if key[1] != key[2]:
            first.setdefault(key, pair)
    return list(first.values())


def pair_row(pair: PreferencePair) -> dict[str, Any]:
    """Return the pair as a row with TRL's `prompt, chosen, rejected`, the problem's columns, scores and verdicts."""
    row = to_row(pair.problem)
    for name, answer in (("chosen", pair.chosen), ("rejected", pair.rejected)):
        row[name] = [{"role": "assistant", "content": answer.text}]
        row[f"{name}_score"] = answer.score
        row[f"{name}_verdicts"] = json.dumps([asdict(verdict) for verdict in answer.verdicts])
    return {**row, "pair_kind": pair.kind, "differs_on": list(pair.differs_on)}


def pair_from_row(
    row: Mapping[str, Any], *, default_id: str = "row-1", tags: ReasoningTags | None = None
) -> PreferencePair:
    """Read a row that `pair_row` wrote, or any row in TRL's preference columns that has `constraints`.

    The verdicts are computed again: what a file claims is not evidence.
    """
    problem = _problem(row, default_id)
    answers = [score_answer(problem, _answer_text(row, name, problem), tags) for name in ("chosen", "rejected")]
    if answers[0] is None or answers[1] is None:
        raise InputError("expected a preference row with at least one constraint that applies to both answers")
    return _pair(problem, answers[0], answers[1], row.get("pair_kind") or "best_worst")


def plain_pair_from_row(row: Mapping[str, Any], *, default_id: str = "row-1") -> PreferencePair:
    """Read a row in TRL's preference columns whose prompt states no constraint; the file's order decides."""
    problem = _problem(row, default_id)
    chosen, rejected = (
        ScoredAnswer(text=_answer_text(row, name, problem), verdicts=(), score=score)
        for name, score in (("chosen", 1.0), ("rejected", 0.0))
    )
    return PreferencePair(problem=problem, chosen=chosen, rejected=rejected, kind="best_worst", differs_on=())


PAIR_COLUMNS = frozenset(
    f"{name}{suffix}" for name in ("chosen", "rejected") for suffix in ("", "_score", "_verdicts")
) | {"pair_kind", "differs_on"}


def _problem(row: Mapping[str, Any], default_id: str) -> Problem:
    return from_row({name: value for name, value in row.items() if name not in PAIR_COLUMNS}, default_id=default_id)


def _answer_text(row: Mapping[str, Any], name: str, problem: Problem) -> str:
    """Return an answer's text. Raises InputError for other turns than the answer, which would be lost or trained on."""
    value = row.get(name)
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise InputError(f"expected column {name!r} to be text or a list of chat messages; got {value!r}")
    *before, answer = (chat_message(item, name) for item in value)
    if answer["role"] != "assistant" or tuple(before) not in ((), problem.messages):
        roles = ", ".join(message["role"] for message in [*before, answer])
        raise InputError(
            f"expected column {name!r} to be one assistant's message, alone or after all messages of 'prompt'; got "
            f"messages by {roles}: earlier turns belong into 'prompt'"
        )
    return answer["content"]


def _pair(problem: Problem, chosen: ScoredAnswer, rejected: ScoredAnswer, kind: PairKind) -> PreferencePair:
    differs_on = tuple(problem.constraints[index].id for index in _differences(chosen, rejected))
    return PreferencePair(problem=problem, chosen=chosen, rejected=rejected, kind=kind, differs_on=differs_on)


def _differences(first: ScoredAnswer, second: ScoredAnswer) -> list[int]:
    verdicts = zip(first.verdicts, second.verdicts, strict=True)
    return [index for index, (one, other) in enumerate(verdicts) if one.satisfied != other.satisfied]


def _length_ratio(first: ScoredAnswer, second: ScoredAnswer) -> float:
    """Return how many times longer the longer text is."""
    short, long = sorted((len(first.text), len(second.text)))
    return long / max(short, 1)
