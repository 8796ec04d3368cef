"""`heed bench confusion`: whether an answer that attends to the wrong constraint fails the right one more often."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from data.verdicts import verdicts_for
from rewards.verifiers import verifying
from rl.common.auc import auc_interval
from rl.common.errors import UserError
from rl.common.intervals import Interval
from rl.config.load import load_run_config
from rl.datasets import load_training
from rl.evaluation.evaluate import load_evaluation, number_equal_ids
from rl.evaluation.margins import margins_of
from rl.evaluation.target import Target, load_policy
from rl.models.load import configured_tokenizer
from rl.scoring.custom_verifiers import custom_verifiers


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One constraint of one held-out answer.

    Example:
        Judged(problem_id="sea", kind="punctuation:no_comma", margin=-0.04, num_words=31, failed=True)
    """

    problem_id: str
    kind: str
    margin: float
    num_words: int
    failed: bool


def bench_confusion(run: Path) -> dict[str, Any]:
    """Return the AUC by which confusion, and by which the answer's length, predicts that a constraint fails.

    The answers are a finished run's held-out ones, read by its policy. Confusion is the negative margin; 0.5 is chance.
    Kinds differ in how often they fail and in how much attention they get, so `within_kind` compares constraints of
    one kind only; null where no kind has a failed and a satisfied one.
    Intervals are of 95 %, by resampling problems. Raises UserError where no constraint failed, or none was satisfied.
    """
    config = load_run_config(run)
    with custom_verifiers(config.rewards), verifying(config.rewards.semantics):
        judged = _judged_answers(run)
    num_failed = sum(one.failed for one in judged)
    if not 0 < num_failed < len(judged):
        raise UserError(
            f"{run}: {num_failed} of {len(judged)} constraints whose attention can be read failed, so nothing can be "
            "told apart; prompts need two constraints whose passages are known, and a policy that fails some"
        )
    return areas(judged)


def areas(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return the counts, and each predictor's AUC with its interval; some constraints failed, and some did not."""
    failed = [one.failed for one in judged]
    problems, kinds = [one.problem_id for one in judged], [one.kind for one in judged]
    predictors = {"confusion": [-one.margin for one in judged], "length": [float(one.num_words) for one in judged]}
    result: dict[str, Any] = {"constraints": len(judged), "failed": sum(failed), "problems": len(set(problems))}
    for name, scores in predictors.items():
        result |= _area(f"auc_{name}", auc_interval(scores, failed, problems))
        result |= _area(f"auc_{name}_within_kind", auc_interval(scores, failed, problems, strata=kinds))
    return result


def _area(name: str, interval: Interval | None) -> dict[str, float | None]:
    values = (None,) * 3 if interval is None else (interval.mean, interval.low, interval.high)
    names = (name, f"{name}_low", f"{name}_high")
    return {key: None if value is None else round(value, 3) for key, value in zip(names, values, strict=True)}


def _judged_answers(run: Path) -> list[Judged]:
    config = load_run_config(run)
    policy, _ = load_policy(Target(config=config, folder=run))
    tokenizer = configured_tokenizer(config.model)
    problems = {problem.problem_id: problem for problem in number_equal_ids(load_training(config).held_out)}
    answers = load_evaluation(run / "after.json").answers
    judged = []
    for answer in track(answers, "answers", console=Console(stderr=True), transient=True):
        problem = problems[answer.problem_id]
        [margins] = margins_of(policy, tokenizer, problem, [answer.completion])
        verdicts = verdicts_for(problem, answer.completion)
        for spec, margin, verdict in zip(problem.constraints, margins, verdicts, strict=True):
            if verdict.satisfied is not None and not np.isnan(margin):
                judged.append(
                    Judged(
                        problem_id=answer.problem_id,
                        kind=spec.id,
                        margin=margin,
                        num_words=answer.num_words,
                        failed=not verdict.satisfied,
                    )
                )
    return judged
