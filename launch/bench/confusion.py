"""`heed bench confusion`: whether an answer that attends to the wrong constraint fails the right one more often."""

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
        Judged(problem_id="sea", margin=-0.04, num_words=31, failed=True)
    """

    problem_id: str
    margin: float
    num_words: int
    failed: bool


def bench_confusion(run: Path) -> dict[str, Any]:
    """Return the AUC by which confusion, and by which the answer's length, predicts that a constraint fails.

    The answers are a finished run's held-out ones, read by its policy. Confusion is the negative margin; 0.5 is chance.
    Intervals are of 95 %, by resampling problems. Raises UserError where no constraint failed, or none was satisfied.
    """
    config = load_run_config(run)
    with custom_verifiers(config.rewards), verifying(config.rewards.semantics):
        judged = _judged_answers(run)
    failed = [one.failed for one in judged]
    if not 0 < sum(failed) < len(failed):
        raise UserError(
            f"{run}: {sum(failed)} of {len(failed)} constraints whose attention can be read failed, so nothing can be "
            "told apart; prompts need two constraints whose passages are known, and a policy that fails some"
        )
    problems = [one.problem_id for one in judged]
    predictors = {"confusion": [-one.margin for one in judged], "length": [one.num_words for one in judged]}
    result: dict[str, Any] = {"constraints": len(judged), "failed": sum(failed), "problems": len(set(problems))}
    for name, scores in predictors.items():
        interval = auc_interval(scores, failed, problems)
        assert interval is not None, "some failed, and some did not"
        result |= {f"auc_{name}": round(interval.mean, 3)}
        result |= {f"auc_{name}_low": round(interval.low, 3), f"auc_{name}_high": round(interval.high, 3)}
    return result


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
        for margin, verdict in zip(margins, verdicts_for(problem, answer.completion), strict=True):
            if verdict.satisfied is not None and not np.isnan(margin):
                failed = not verdict.satisfied
                judged.append(
                    Judged(problem_id=answer.problem_id, margin=margin, num_words=answer.num_words, failed=failed)
                )
    return judged
