"""Runner: trains many arms, skips finished ones, goes on after one that fails, and says how long the rest will take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from launch.bench.arms import Arm, Outcome, Pool, finished_arm, keep
from launch.bench.compare import BenchArm
from rl.common.atomic import write_text
from rl.common.errors import RunFailure

ERROR = "error.txt"
"""In the run folder of an arm that failed: why."""


@dataclass(kw_only=True)
class ArmRunner:
    """Trains arms into the folder of a bench by a pool, which decides how many at a time."""

    bench: Path
    console: Console
    total: int
    """Arms that will be asked for, at most."""
    pool: Pool
    failed: dict[tuple[str, int], str] = field(default_factory=dict)
    """Name and seed -> why."""
    _num_finished: int = 0
    _num_trained: int = 0
    _started: float = field(default_factory=time.monotonic)

    def run(self, arms: Sequence[Arm]) -> list[BenchArm]:
        """Return the results of the arms in order, without those that fail; an arm that failed is not tried again."""
        results: dict[tuple[str, int], BenchArm] = {}
        missing = []
        for arm in arms:
            finished = finished_arm(arm, self.bench)
            if finished is not None:
                results[arm.name, arm.seed] = finished
                self._num_finished += 1
            elif (arm.name, arm.seed) not in self.failed:
                missing.append(arm)
        for arm, outcome in self.pool(missing, self.bench):
            self._num_trained += 1
            self._note(arm, outcome)
            if isinstance(outcome, BenchArm):
                keep(arm, outcome, self.bench)
                results[arm.name, arm.seed] = outcome
        return [results[arm.name, arm.seed] for arm in arms if (arm.name, arm.seed) in results]

    def raise_if_failed(self) -> None:
        """Raise RunFailure that names the arms that failed."""
        if self.failed:
            names = "\n".join(f"  {name} seed {seed}: {reason}" for (name, seed), reason in self.failed.items())
            raise RunFailure(
                f"{len(self.failed)} arms failed (each left {ERROR} in its folder under {self.bench / 'arms'}); the "
                f"same command tries them again:\n{names}"
            )

    def _note(self, arm: Arm, outcome: Outcome) -> None:
        if isinstance(outcome, str):
            self.failed[arm.name, arm.seed] = outcome.strip().splitlines()[-1]
            write_text(arm.folder(self.bench) / ERROR, outcome)
            text = f"failed: {self.failed[arm.name, arm.seed]}"
        else:
            text = f"held-out {outcome.scores[0]:.3f} -> {outcome.scores[-1]:.3f}, {outcome.cpu_seconds:.0f} s of CPU"
        done = self._num_finished + self._num_trained
        seconds = (time.monotonic() - self._started) / self._num_trained * (self.total - done)
        left = timedelta(seconds=max(0, round(seconds)))
        self.console.print(
            f"{done} of {self.total}: {arm.name} seed {arm.seed}: {text}; about {left} left", soft_wrap=True
        )
