"""Base-model evaluation: the held-out answers that an adapter is compared with."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from data.problems import Problem
from rl.common.atomic import write_json
from rl.common.distributed import broadcast_from_main, is_main_process
from rl.config.root import Config
from rl.evaluation.command import evaluate_policy
from rl.evaluation.evaluate import Evaluation, load_evaluation, num_answers
from rl.rollouts.answering import Answer

BEFORE = "before.json"
"""In the run folder."""


def evaluate_base(
    config: Config,
    policy: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: Sequence[Problem],
    folder: Path,
    *,
    announce: Callable[[str], None],
    answering: Callable[[], Answer | None] = lambda: None,
) -> Evaluation | None:
    """Evaluate the policy without its adapter, once a run; None when no problem is held out.

    A resumed run reads the answers that it wrote into its folder. `answering` returns the function by which the rollout
    workers sample as the base model, or None where the policy itself has to.
    """
    if not problems:
        return None
    saved = folder / BEFORE
    if broadcast_from_main(saved.exists()):
        return load_evaluation(saved)
    announce(f"Scoring the base model: {num_answers(problems, samples=config.evaluation.samples)} answers")
    answer = answering()
    with policy.disable_adapter():
        before = evaluate_policy(config, policy, tokenizer, problems, answer)
    if is_main_process():
        write_json(saved, asdict(before))
    return before
