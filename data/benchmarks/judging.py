"""Judging: the scores of one answer to a benchmark's problem, as its paper defines them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from data.combinatorial.rows import solution_outcome
from data.constraints import KINDS
from data.gsm8k import NUMBER_MARK
from data.kitab import evaluate_books, query_from_row
from data.problems import ConstraintSpec, Problem, user_text
from rewards.errors import InputError
from rewards.loose import verify_loosely
from rewards.verifiers import verify

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstraintScore:
    """Whether one constraint is satisfied, to the letter and loosely.

    Example:
        ConstraintScore(kind="punctuation:no_comma", category="content", strict=False, loose=True)
    """

    kind: str
    category: str
    strict: bool
    loose: bool | None = None
    """None where the benchmark has no loose score."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """The scores of one answer, by name, each from 0 to 1, and those of its constraints."""

    scores: dict[str, float]
    constraints: tuple[ConstraintScore, ...] = ()


Judge = Callable[[Problem, str], Judgement]


def judge_constraints(problem: Problem, answer: str) -> Judgement:
    """Verify each constraint strictly and loosely, as IFEval does (arXiv 2311.07911, section 2.2)."""
    prompt = user_text(problem)
    scores = tuple(
        _constraint_score(
            problem, spec, answer, loose=verify_loosely(spec.id, answer, prompt=prompt, **spec.kwargs) is True
        )
        for spec in problem.constraints
    )
    strict, loose = (all(getattr(score, name) for score in scores) for name in ("strict", "loose"))
    return Judgement(scores={"prompt_strict": float(strict), "prompt_loose": float(loose)}, constraints=scores)


def judge_strictly(problem: Problem, answer: str) -> Judgement:
    """Verify each constraint to the letter; all must be satisfied, as in MulDimIF (arXiv 2505.07591)."""
    scores = tuple(_constraint_score(problem, spec, answer) for spec in problem.constraints)
    return Judgement(scores={"prompt_strict": float(all(score.strict for score in scores))}, constraints=scores)


def judge_number(problem: Problem, answer: str) -> Judgement:
    """Compare the number behind GSM8K's mark, and the last number anywhere, with the reference."""
    marked = NUMBER.match(answer.rpartition(NUMBER_MARK)[2].strip().lstrip("$")) if NUMBER_MARK in answer else None
    last = last_number(answer)
    return Judgement(
        scores={
            "exact_match": float(marked is not None and _value(marked[0]) == _value(problem.reference)),
            "last_number": float(last is not None and last == _value(problem.reference)),
        }
    )


def last_number(text: str) -> float | None:
    """Return the last number of a text, commas between its digits ignored; None if there is none."""
    found = NUMBER.findall(text)
    return _value(found[-1]) if found else None


def judge_books(problem: Problem, answer: str) -> Judgement:
    """Judge the titles listed, as KITAB does (arXiv 2310.15511, section 3)."""
    report = evaluate_books(answer, query_from_row(problem.extras["row"]))
    names = ("all_correct", "completeness", "satisfied", "unsatisfied", "irrelevant")
    return Judgement(scores={name: float(getattr(report, name)) for name in names})


def judge_solution(problem: Problem, answer: str) -> Judgement:
    """Judge a solution of a combinatorial problem: each rule, and 1 less the gap to its reference if it keeps all."""
    judgement, found = judge_strictly(problem, answer), solution_outcome(problem, answer)
    if found is None:
        raise InputError(f"problem {problem.problem_id} has no rule of feasibility (heed data combinatorial)")
    return replace(judgement, scores={"feasible": float(found.is_feasible), "quality": found.quality})


def _constraint_score(
    problem: Problem, spec: ConstraintSpec, answer: str, *, loose: bool | None = None
) -> ConstraintScore:
    """Return a constraint's score; one that does not apply to the answer is not satisfied by it."""
    verdict = verify(spec.id, answer, prompt=user_text(problem), semantics="eval", **spec.kwargs)
    category = KINDS[spec.id].category if spec.id in KINDS else "content"
    return ConstraintScore(kind=spec.id, category=category, strict=verdict.satisfied is True, loose=loose)


def _value(number: str | None) -> float | None:
    return None if number is None else float(number.replace(",", ""))
