"""Finalizing a run: the trained adapter is saved, evaluated, summarized and shown."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rl.common.atomic import write_json, write_text
from rl.common.distributed import gathered_parameters, is_main_process
from rl.common.errors import RunFailure, during_run
from rl.config.root import Config
from rl.datasets import Pairs, Problems, problems_of
from rl.evaluation.command import evaluate_policy
from rl.evaluation.console import show_answers, show_credit, show_gain
from rl.evaluation.evaluate import Evaluation, Gain
from rl.evaluation.summary import run_summary
from rl.models.tokenization import encode_problems
from rl.report.arm import Arm
from rl.report.run import read_run
from rl.report.write import write_report
from rl.routing.bundle import save_bundle
from rl.runs.adapter import model_card, save_adapter
from rl.runs.jsonl import read_jsonl
from rl.runs.resume import export_command
from rl.tracking.observers import Observers
from rl.trainers.base import AdapterTrainer


def finalize_run(
    config: Config,
    trainer: AdapterTrainer,
    problems: Problems | Pairs,
    folder: Path,
    before: Evaluation | None,
    observers: Observers,
) -> None:
    """Save the trained adapter, then evaluate it; write summary and report; show the result. All ranks must call it.

    Raises RunFailure when fewer steps were made than asked for, and when the evaluation fails for a reason that the
    user can mend; another error gets a note. The adapter is saved by then.
    """
    if (steps := trainer.state.global_step) < config.trainer.max_steps:
        raise RunFailure(
            f"the training ended after {steps} of trainer.max_steps={config.trainer.max_steps} steps: the data have no "
            "batch for the next one; add rows, or lower trainer.per_device_train_batch_size"
        )
    with gathered_parameters(trainer.policy):
        adapter = save_unscored(config, trainer, problems, folder, observers) if is_main_process() else None
    with during_run(lambda: f"The adapter is saved; score it with: heed eval {shlex.quote(str(folder))}"):
        after = None
        if before is not None:
            observers.announce(f"Scoring the adapter: {len(before.answers)} answers")
            policy, tokenizer, answer = trainer.policy, trainer.policy_tokenizer, trainer.answer_held_out()
            after = evaluate_policy(config, policy, tokenizer, problems.held_out, answer)
        if adapter is not None:
            summary = run_summary(folder, steps, before, after)
            if before is not None and after is not None:
                write_json(folder / "after.json", asdict(after))
                show_gain(observers.console, before, after, Gain(**summary["gain"]) if "gain" in summary else None)
                show_answers(observers.console, before, after)
            write_text(adapter / "README.md", model_card(config, summary))
            write_json(folder / "summary.json", summary)
            observers.finish(adapter, summary)
            show_product(trainer, folder, adapter, observers)
    trainer.accelerator.wait_for_everyone()  # no rank may return before the adapter is written


def save_unscored(
    config: Config, trainer: AdapterTrainer, problems: Problems | Pairs, folder: Path, observers: Observers
) -> Path:
    """Save the adapter before its evaluation, which may fail; return its folder."""
    observers.announce("Saving the adapter")
    return save_product(
        config, trainer, problems.train, folder, run_summary(folder, trainer.state.global_step, None, None)
    )


def save_product(
    config: Config, trainer: AdapterTrainer, training: Sequence[Any], folder: Path, summary: dict[str, Any]
) -> Path:
    """Save the adapter, or the bundle of several adapters and their router; return its folder."""
    route = trainer.route
    if route is None:
        return save_adapter(trainer.policy, folder, config, summary)
    problems = problems_of(training)
    gates = route.gates(encode_problems(trainer.policy_tokenizer, problems), [problem.task for problem in problems])
    return save_bundle(route, folder, config, card=model_card(config, summary), gates=gates, trained_on=problems)


def show_product(trainer: AdapterTrainer, folder: Path, adapter: Path, observers: Observers) -> None:
    """Show one completion coloured by its credit, and where the report and the adapter are."""
    if record := last_best_rollout(folder):
        show_credit(observers.console, record, trainer.policy_tokenizer)
    observers.announce("Writing the report")
    page = write_report([Arm(runs=(read_run(folder),))], [trainer.completion_spans], folder / "report.html")
    observers.announce(f"\nReport: {page}\nAdapter: {adapter}\nVerify it with: {export_command(folder)}")


def last_best_rollout(folder: Path) -> dict[str, Any] | None:
    """Return the latest recorded completion that was the best of its group; None when no group ever differed."""
    records = read_jsonl(folder / "rollouts.jsonl")
    return next((record for record in reversed(records) if record["which"] == "best"), None)
