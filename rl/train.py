"""One run: problems in, a trained and evaluated adapter out."""

import os
from functools import partial
from pathlib import Path

from rich.console import Console

from rl.build import check_files, trainer_context
from rl.common.device import idle_gpus, local_ranks, visible_gpus
from rl.common.distributed import check_ranks, init_distributed, is_main_process
from rl.config.paths import with_absolute_paths
from rl.config.root import Config
from rl.datasets import (
    Pairs,
    Problems,
    check_columns,
    check_order,
    check_signal,
    load_training,
    report_unreadable,
    with_steps_of_epochs,
)
from rl.evaluation.base_model import evaluate_base
from rl.models.load import resolve_dtype
from rl.models.quantization import check_quantization
from rl.rollouts.workers.placement import describe_threads, place_workers
from rl.runs.folder import open_run
from rl.runs.inputs import check_inputs
from rl.runs.resume import resume_command, resume_hint_on_error
from rl.runs.stop_callback import StopCallback
from rl.scoring.custom_verifiers import custom_verifiers
from rl.tracking.installed import check_trackers
from rl.tracking.observers import Observers
from rl.trainers.finalize import finalize_run
from rl.trainers.online_dpo import train_in_rounds


def train(config: Config, *, locked: bool = False) -> Path:
    """Train as the config says and return the run folder; `locked` says that this process's parent has locked it.

    Raises UserError, before any training, for what is wrong with the config, the data or the run folder; RunFailure
    for what ends a run that has begun. A run that was stopped and is saved has no summary.json.
    """
    check_ranks(config.distributed, os.environ)
    init_distributed(config.distributed, longest_wait=config.rollouts.longest_wait)
    resolve_dtype(config.model.dtype)  # this and the next raise now rather than when the model is loaded
    check_quantization(config.model)
    place_workers(config)
    config = with_absolute_paths(config)  # a resume may be typed in another folder
    check_inputs(config)
    check_files(config)
    with custom_verifiers(config.rewards):
        if config.pairs.rounds:
            return train_in_rounds(config, train_once, locked=locked)
        return train_once(config, locked=locked)


def train_once(config: Config, *, locked: bool = False) -> Path:
    """Train one adapter, or one bundle of adapters, and return the run folder."""
    problems = load_training(config)
    check_columns(problems)
    check_signal(config, problems)
    check_trackers(config.tracking)
    config = with_steps_of_epochs(config, len(problems.train))
    check_order(config, problems)
    with open_run(config, locked=locked) as (folder, checkpoint):
        _train_in(folder, checkpoint, config, problems)
    return folder


def _train_in(folder: Path, checkpoint: Path | None, config: Config, problems: Problems | Pairs) -> None:
    """Train from the start or a checkpoint to the end or an interruption."""
    console = Console(quiet=not is_main_process())
    stop, observers = StopCallback(folder, config.run.grace), Observers(config, folder, console)
    callbacks = [*observers.callbacks, stop]
    for line in (idle_gpus(local_ranks(), visible_gpus(), config.rollouts.ray_workers), describe_threads(config)):
        if line is not None:
            observers.announce(line)
    if is_main_process():
        report_unreadable(problems, folder, observers.announce)
    observers.announce(f"Loading the model: {config.model.name}")
    with (
        resume_hint_on_error(folder),
        trainer_context(config, folder, problems.train, callbacks) as trainer,
        observers.watching(trainer),
    ):
        policy, tokenizer = trainer.policy, trainer.policy_tokenizer
        base = partial(
            evaluate_base,
            config,
            policy,
            tokenizer,
            problems.held_out,
            folder,
            announce=observers.announce,
            answering=trainer.answer_as_base,
        )
        trainer.once_usable(lambda: observers.follow_held_out(trainer, problems.held_out, base()))
        if is_main_process():
            (folder / "summary.json").unlink(missing_ok=True)  # of a finished run that trains on
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        if stop.interrupted:
            observers.finish()
            observers.announce(f"Saved. Continue with: {resume_command(folder)}")
        else:
            finalize_run(config, trainer, problems, folder, base(), observers)
