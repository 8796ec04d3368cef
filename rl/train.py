"""One run: problems in, a trained and measured adapter out."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from transformers import TrainerCallback

from data.preferences import PreferencePair
from rl.build import build_trainer
from rl.common.atomic import write_json
from rl.common.distributed import (
    broadcast_from_main,
    check_ranks,
    gathered_parameters,
    init_distributed,
    is_main_process,
    shutdown_main_last,
)
from rl.common.errors import RunFailure
from rl.config.root import Config
from rl.datasets import Pairs, Problems, load_training
from rl.evaluation.command import evaluate_policy
from rl.evaluation.console import show_answers, show_credit, show_gain
from rl.evaluation.evaluate import Evaluation, load_evaluation, num_answers, paired_gain
from rl.models.tokenization import encode_problems
from rl.report.arm import Arm
from rl.report.run import read_run
from rl.report.write import write_report
from rl.routing.bundle import save_bundle
from rl.runs.adapter import model_card, save_adapter
from rl.runs.checkpoint import newest_checkpoint
from rl.runs.folder import open_run
from rl.runs.jsonl import JsonlFile, read_jsonl
from rl.runs.stop_callback import StopCallback
from rl.scoring.custom_verifiers import custom_verifiers, save_custom_code
from rl.tracking.collapse_alarm import CollapseAlarmCallback
from rl.tracking.metrics import MetricsCallback, log_metrics, start_trackers
from rl.tracking.periodic_eval import PeriodicEvaluation
from rl.tracking.progress import ProgressCallback, announce
from rl.tracking.wandb_callback import WandbCallback
from rl.trainers.base import AdapterTrainer
from rl.trainers.grpo import CreditGRPOTrainer
from rl.trainers.online_dpo import train_in_rounds


def train(config: Config) -> Path:
    """Train as the config says and return the run folder.

    Raises ValueError for whatever the config, the data or the run folder have wrong, before any training; RunFailure
    for what ends a run that had begun; SystemExit(0) when SIGTERM did, and the run is saved.
    """
    check_ranks(config.distributed, os.environ)
    init_distributed(config.distributed)
    with custom_verifiers(config.rewards):
        return train_in_rounds(config, _train) if config.pairs.rounds else _train(config)


def _train(config: Config) -> Path:
    console = Console(quiet=not is_main_process())
    problems = load_training(config)
    folder, checkpoint = open_run(config)
    interrupt, progress = StopCallback(folder, config.run.grace), ProgressCallback(console)
    trackers = start_trackers(config, folder) if is_main_process() else []
    metrics = JsonlFile(folder / "metrics.jsonl")
    callbacks = [MetricsCallback(metrics), interrupt, progress, *trackers]
    announce(console, f"Loading the model: {config.model.name}")
    with resume_hint_on_error(folder), trainer_context(config, folder, problems, callbacks) as trainer:
        if is_main_process():
            save_custom_code(config.rewards, folder)
        for tracker in trackers:
            tracker.spans = trainer.completion_spans
        log = partial(log_metrics, trainer)
        if config.rewards.collapse_fall is not None and is_main_process():
            trainer.add_callback(CollapseAlarmCallback(config.rewards, log, metrics.path, console))
        before = score_base(config, trainer, problems, folder, console)
        progress.held_out = before and before.summary()["pass_rate"]
        if config.evaluation.every:
            held_out = partial(evaluate_policy, config, trainer.policy, trainer.policy_tokenizer, problems.held_out)
            trainer.add_callback(PeriodicEvaluation(held_out, log, every=config.evaluation.every, progress=progress))
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        if interrupt.interrupted:
            for tracker in trackers:
                tracker.finish()
            console.print(f"Saved. Continue with: {resume_command(folder)}")
        else:
            finalize_run(config, trainer, problems, folder, before, console, trackers)
    if interrupt.preempted:
        raise SystemExit(0)  # whoever took the machine away did nothing wrong, and neither did the run
    return folder


@contextmanager
def trainer_context(
    config: Config, folder: Path, problems: Problems | Pairs, callbacks: list[TrainerCallback]
) -> Iterator[AdapterTrainer]:
    """The trainer and its workers, if it has any, who are sent home whatever happens."""
    trainer = build_trainer(config, folder, problems.train, callbacks)
    close = trainer.rollouts.close if isinstance(trainer, CreditGRPOTrainer) else None  # preferences need no rollouts
    try:
        yield trainer
    except BaseException:  # the other ranks may never come
        if close is not None:
            close()
        raise
    if close is not None:
        shutdown_main_last(close)


@contextmanager
def resume_hint_on_error(folder: Path) -> Iterator[None]:
    """Whatever ends the run says what to type next."""
    try:
        yield
    except SystemExit:
        raise
    except BaseException as error:
        checkpoint = newest_checkpoint(folder)
        saved = f"saved up to {checkpoint.name}; continue with: {resume_command(folder)}" if checkpoint else "not saved"
        if isinstance(error, RunFailure):
            raise RunFailure(f"{error}\nThe run is {saved}") from error
        error.add_note(f"The run is {saved}")
        raise


def resume_command(folder: Path) -> str:
    return f"heed train {folder}/config.yaml resume={folder}"


def score_base(
    config: Config, trainer: AdapterTrainer, problems: Problems | Pairs, folder: Path, console: Console
) -> Evaluation | None:
    """The base model's held-out answers, computed once a run and kept in its folder."""
    if not problems.held_out:
        return None
    kept = folder / "before.json"
    if broadcast_from_main(kept.exists()):
        return load_evaluation(kept)
    count = num_answers(problems.held_out, samples=config.evaluation.samples)
    announce(console, f"Scoring the base model: {count} answers")
    with trainer.policy.disable_adapter():
        before = evaluate_policy(config, trainer.policy, trainer.policy_tokenizer, problems.held_out)
    if is_main_process():
        write_json(kept, asdict(before))
    return before


def train_seconds(folder: Path) -> float:
    """Seconds spent in optimizer steps and their rollouts, interrupted runs included; DPO logs only its whole time."""
    lines = read_jsonl(folder / "metrics.jsonl")
    stepped, trained = (sum(line.get(name, 0.0) for line in lines) for name in ("step_time", "train_runtime"))
    return round(stepped or trained, 1)


def finalize_run(
    config: Config,
    trainer: AdapterTrainer,
    problems: Problems | Pairs,
    folder: Path,
    before: Evaluation | None,
    console: Console,
    trackers: list[WandbCallback],
) -> None:
    """Score the adapter, write the product, the summary and the report, and show what came of it."""
    if before is not None:
        announce(console, f"Scoring the adapter: {len(before.answers)} answers")
    after = before and evaluate_policy(config, trainer.policy, trainer.policy_tokenizer, problems.held_out)
    with gathered_parameters(trainer.policy):
        if is_main_process():
            summary = summarise(trainer, folder, before, after, console)
            announce(console, "Saving the adapter")
            adapter = save_product(trainer, problems, folder, config, summary)
            write_json(folder / "summary.json", summary)
            for tracker in trackers:
                tracker.finish(adapter, summary)
            show_product(trainer, folder, adapter, console)
    trainer.accelerator.wait_for_everyone()  # no rank is done before the product lies there


def save_product(
    trainer: AdapterTrainer, problems: Problems | Pairs, folder: Path, config: Config, summary: dict[str, Any]
) -> Path:
    """The adapter, or the bundle of several and their router."""
    route = trainer.route
    if route is None:
        return save_adapter(trainer.policy, folder, config, summary)
    asked = [one.problem if isinstance(one, PreferencePair) else one for one in problems.train]
    gates = route.gates(encode_problems(trainer.policy_tokenizer, asked), [problem.task for problem in asked])
    return save_bundle(route, folder, config, card=model_card(config, summary), gates=gates, trained_on=asked)


def summarise(
    trainer: AdapterTrainer, folder: Path, before: Evaluation | None, after: Evaluation | None, console: Console
) -> dict[str, Any]:
    """What `summary.json` holds; the gain is shown, too."""
    summary: dict[str, Any] = {"steps": trainer.state.global_step, "train_seconds": train_seconds(folder)}
    if before is not None and after is not None:
        gain = paired_gain(before, after)
        write_json(folder / "after.json", asdict(after))
        summary |= {"before": before.summary(), "after": after.summary(), "gain": asdict(gain)}
        show_gain(console, before, after, gain)
        show_answers(console, before, after)
    return summary


def show_product(trainer: AdapterTrainer, folder: Path, adapter: Path, console: Console) -> None:
    """One completion by its credit, the report, and where the adapter lies."""
    if record := best_record(folder):
        show_credit(console, record, trainer.policy_tokenizer)
    announce(console, "Writing the report")
    page = write_report([Arm(runs=(read_run(folder),))], [trainer.completion_spans], folder / "report.html")
    console.print(f"\nReport: {page}\nAdapter: {adapter}\nVerify it with: heed export {folder}")


def best_record(folder: Path) -> dict[str, Any] | None:
    """The last completion that was the best of its group, to be looked at; None when no group ever differed."""
    records = read_jsonl(folder / "rollouts.jsonl")
    return next((record for record in reversed(records) if record["which"] == "best"), None)
