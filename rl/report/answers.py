"""Held-out answers of several policies side by side, problem by problem."""

from dataclasses import asdict
from typing import Any

from rl.evaluation.evaluate import EvaluatedAnswer, Evaluation
from rl.report.rollouts import evenly_spaced
from rl.report.run import RecordedRun

MAX_PROBLEMS = 400


def answer_rows(runs: list[RecordedRun]) -> list[dict[str, Any]]:
    """Return the prompt and one answer per policy, the base model first, for each problem that all of them answered.

    Empty when the runs have no evaluation, or no problem in common.
    """
    columns = [column for column in (runs[0].before, *(run.after for run in runs)) if column is not None]
    if not columns:
        return []
    first_answers = [_by_problem(column) for column in columns]
    common = [problem for problem in first_answers[0] if all(problem in column for column in first_answers)]
    return [
        {
            "problem_id": problem,
            "prompt": first_answers[0][problem].prompt,
            "answers": [_answer_data(column[problem]) for column in first_answers],
        }
        for problem in evenly_spaced(common, MAX_PROBLEMS)
    ]


def column_names(runs: list[RecordedRun]) -> list[str]:
    """Return the name of the policy behind each answer of `answer_rows`, in order."""
    base = ["base model"] if runs[0].before is not None else []
    finished = [run for run in runs if run.after is not None]
    return base + (["adapter"] if len(runs) == 1 and finished else [run.name for run in finished])


def _by_problem(evaluation: Evaluation) -> dict[str, EvaluatedAnswer]:
    answers: dict[str, EvaluatedAnswer] = {}
    for answer in evaluation.answers:
        answers.setdefault(answer.problem_id, answer)
    return answers


def _answer_data(answer: EvaluatedAnswer) -> dict[str, Any]:
    fields = asdict(answer)
    return {name: fields[name] for name in ("completion", "satisfied", "num_words")} | {"rate": answer.pass_rate}
