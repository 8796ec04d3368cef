"""Training arms: the trainings that a comparison is made of, one per setting and seed, each trained once."""

import json
import os
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from launch.bench.compare import BenchArm
from launch.bench.tasks import TOY_KINDS, Budget, HeldOutScore, Task
from rewards.verifiers import custom_kinds
from rl.build import build_trainer
from rl.common.atomic import json_text, write_json, write_text
from rl.common.errors import UserError
from rl.config.load import parse_config, resolved_yaml
from rl.config.root import Config
from rl.scoring.custom_verifiers import custom_verifiers
from rl.trainers.grpo import CreditGRPOTrainer

RESULT = "arm.json"
"""In the run folder of an arm that has been trained to its end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One training of a comparison.

    Example:
        Arm(name="coupled", seed=0, task=Chain(), budget=Chain().budget, settings={"credit": {"rule": "coupled"}})
    """

    name: str
    seed: int
    task: Task
    budget: Budget
    settings: Mapping[str, Any]
    """Sections of the config in which it differs from other arms of its task, budget and seed."""

    def folder(self, bench: Path) -> Path:
        """Return its run folder in that of the bench."""
        return bench / "arms" / f"{self.name.replace(':', '-')}-{self.seed}"

    def config(self, bench: Path) -> Config:
        """Return its config. Raises UserError where that is wrong."""
        budget, tree = self.budget, self.task.settings(self.seed, self.budget)
        tree["trainer"] = tree["trainer"] | {
            "max_steps": budget.steps,
            "save_steps": budget.steps,
            "learning_rate": budget.learning_rate,
            "seed": self.seed,
        }
        return parse_config({**tree, **self.settings, "run": {"folder": str(self.folder(bench))}})


Outcome = BenchArm | str
"""The result of an arm, or the traceback of what ended it."""
Pool = Callable[[Sequence[Arm], Path], Iterator[tuple[Arm, Outcome]]]
"""Trains arms into the folder of a bench, and yields each with its outcome as it ends."""


def check_seeds(seeds: int) -> None:
    """Raise UserError for too few seeds to give an interval."""
    if seeds < 2:
        raise UserError(f"got --seeds {seeds}; an interval needs at least 2")


def record_budget(folder: Path, task: str, budget: Budget) -> None:
    """Write task and budget to the folder; with them, `arms` in it are this bench's, to be trained again.

    Raises UserError if it holds arms that were trained on another budget, or that no bench has written.
    """
    path, content = folder / "budget.json", {"task": task, **asdict(budget)}
    if path.exists() and path.read_text(encoding="utf-8") != json_text(content):
        raise UserError(f"{folder} holds arms of another budget ({path}); choose another folder, or the same budget")
    if not path.exists() and (folder / "arms").exists():
        raise UserError(f"{folder / 'arms'} is there, and no bench wrote it; choose another folder")
    write_json(path, content)


def finished_arm(arm: Arm, bench: Path) -> BenchArm | None:
    """Return the result of an arm that has been trained to its end."""
    path = arm.folder(bench) / RESULT
    return read_arm(path) if path.exists() else None


def read_arm(path: Path) -> BenchArm:
    """Read the result of an arm."""
    return BenchArm(**json.loads(path.read_text(encoding="utf-8")))


def keep(arm: Arm, result: BenchArm, bench: Path) -> None:
    """Write the result of an arm, which may have been trained on another machine."""
    write_json(arm.folder(bench) / RESULT, asdict(result))


def train_arm(arm: Arm, bench: Path) -> BenchArm:
    """Train one arm from its start, whatever an interrupted training has left."""
    run = arm.folder(bench)
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    started = cpu_seconds()
    config = arm.config(bench)
    write_text(run / "config.yaml", resolved_yaml(config))  # so that its answers can be paired, as any run's
    with custom_verifiers(config.rewards), custom_kinds(TOY_KINDS):
        curve = _train(arm, config, run)
    result = BenchArm(
        name=arm.name,
        seed=arm.seed,
        steps=curve.steps,
        scores=[score.mean for score in curve.scores],
        perfect=[score.perfect for score in curve.scores],
        cpu_seconds=round(cpu_seconds() - started, 1),
        details=dict(curve.scores[-1].details),
    )
    return result


def result_or_error(arm: Arm, bench: Path) -> Outcome:
    """Train an arm and return its result, or the traceback of whatever it raised: the other arms must go on."""
    try:
        return train_arm(arm, bench)
    except Exception:
        return traceback.format_exc()


def train_in_turn(arms: Sequence[Arm], bench: Path) -> Iterator[tuple[Arm, Outcome]]:
    """Train arms one after another in this process, and yield each with its outcome."""
    for arm in arms:
        yield arm, result_or_error(arm, bench)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def _train(arm: Arm, config: Config, run: Path) -> "ScoreCallback":
    problems, held_out = arm.task.problems(config, arm.seed, arm.budget)
    curve = ScoreCallback(every=max(1, arm.budget.steps // arm.budget.evaluations))
    trainer = build_trainer(config, run, problems, callbacks=[curve])
    assert isinstance(trainer, CreditGRPOTrainer)
    curve.score = partial(arm.task.held_out_score, trainer, config, held_out)
    try:
        curve.evaluate(0)
        trainer.train()
    finally:
        trainer.rollouts.close()
    return curve


class ScoreCallback(TrainerCallback):
    """Records the held-out score every so many steps and at the end."""

    score: Callable[[], HeldOutScore]

    def __init__(self, *, every: int):
        self.every = every
        self.steps: list[int] = []
        self.scores: list[HeldOutScore] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self.evaluate(state.global_step)

    def evaluate(self, step: int) -> None:
        """Append the current score."""
        self.steps.append(step)
        self.scores.append(self.score())
