"""Soak: runs that are killed, started twice, moved and resumed with changed files end as undisturbed ones, or say why.

    python -m tests.rl.soak --rounds 200 --seed 0

Each round disturbs the same few runs of `tiny` once, by the real command line in a process of its own, forked from one
that has the libraries in memory. A run that reaches its end must have the bytes of the undisturbed one.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from launch.environment import prepare_environment
from rl.rollouts.ledger import Ledger
from rl.runs.checkpoint import newest_checkpoint
from rl.runs.jsonl import read_jsonl

STEPS = 6
DEADLINE = 300.0
SAVED_NOT_FINISHED = 75
REFUSED = 2
REWARD = '''"""A reward that differs within a group."""


def even_share(completion_ids, **columns):
    return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]
'''


@dataclass
class Process:
    """One `heed` command at work."""

    id: int
    output: Path

    def wait(self) -> int:
        """Return the exit code, negative for a signal."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            done, status = os.waitpid(self.id, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(self.id, signal.SIGKILL)
        raise AssertionError(f"no end within {DEADLINE} s:\n{self.said()}")

    def said(self) -> str:
        """Return what the command printed so far."""
        return self.output.read_text(errors="replace")


def heed(arguments: Sequence[str], cwd: Path, output: Path) -> Process:
    """Start a command in a forked process."""
    child = os.fork()
    if child:
        return Process(child, output)
    with contextlib.suppress(BaseException):
        os.chdir(cwd)
        _redirect(output)
        sys.argv = ["heed", *arguments]
        os._exit(_exit_code(arguments))
    os._exit(99)


def _redirect(output: Path) -> None:
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)


def _exit_code(arguments: Sequence[str]) -> int:
    import traceback

    from launch.cli.main import main

    try:
        main(list(arguments))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        return 98
    return 0


@dataclass
class Soak:
    """The runs of one soak, in a folder of their own."""

    root: Path
    draw: random.Random
    expected: tuple[bytes, list] = (b"", [])
    run: Path | None = None
    names: int = 0
    outputs: int = 0
    seconds: float = 0.0
    """What an undisturbed run takes."""
    counts: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.data, self.reward = self.root / "data.jsonl", self.root / "reward.py"
        rows = [
            {"prompt": f"Say something about {word}.", "constraints": [{"id": "punctuation:no_comma"}]}
            for word in ("rain", "snow", "wind", "fog", "ice", "sun", "hail", "dew")
        ]
        self.data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.reward.write_text(REWARD)

    # ------------------------------------------------------------------------------------------------------ commands

    def settings(self) -> list[str]:
        """Return the overrides of every run: paths are relative, as users write them."""
        return [
            "data.path=data.jsonl",
            "data.num_problems=8",
            "data.held_out=2",
            f"trainer.max_steps={STEPS}",
            "trainer.save_steps=1",
            "rewards.functions=[reward.py:even_share]",
            "rollouts.workers=0",
        ]

    def start(self) -> Process:
        """Start a new run."""
        self.names += 1
        self.run = self.root / f"run-{self.names}"
        return self.train()

    def train(self, *more: str) -> Process:
        """Type the command that starts the run, with more options or settings."""
        assert self.run is not None
        return self.heed("train", "tiny", *self.settings(), f"run.folder={self.run.name}", *more)

    def go_on(self) -> Process:
        """Resume the run, or start one: as a job that restarts does, or by hand from some folder."""
        if self.run is None:
            return self.start()
        if self.draw.random() < 0.3 or (list(self.run.glob("checkpoint-*")) and not checkpoints(self.run)):
            return self.train("--or-resume")  # which also starts anew where a kill left no complete checkpoint
        if not checkpoints(self.run):
            return self.train()
        if self.draw.random() < 0.3:
            return self.heed("resume", str(self.run), cwd=Path("/"))
        return self.heed("resume", self.run.name)

    def heed(self, *arguments: str, cwd: Path | None = None) -> Process:
        """Start a command in the soak's folder, or another."""
        self.outputs += 1
        return heed(arguments, cwd or self.root, self.root / f"output-{self.outputs % 4}.log")

    # ---------------------------------------------------------------------------------------------------- disturbances

    def kill(self) -> None:
        """Kill the run somewhere, as a machine that fails does."""
        process = self.go_on()
        self._disturb(process, signal.SIGKILL)
        code = process.wait()
        self.check(code in (0, -signal.SIGKILL), process, code)
        if code == 0:
            self.finished()

    def preempt(self) -> None:
        """Ask the run to stop, as a scheduler does."""
        process = self.go_on()
        self._disturb(process, signal.SIGTERM)
        code = process.wait()
        # before a run has a handler, the signal ends the process
        self.check(code in (0, SAVED_NOT_FINISHED, -signal.SIGTERM), process, code)
        if code == 0:
            self.finished()

    def complete(self) -> None:
        """Let the run come to its end."""
        process = self.go_on()
        code = process.wait()
        self.check(code == 0, process, code)
        self.finished()

    def double(self) -> None:
        """Start the same thing twice at once: one goes on, the other says who holds the run."""
        first = self.go_on()
        assert self.run is not None
        state = self.draw.getstate()
        second = self.go_on() if checkpoints(self.run) else self.train()
        self.draw.setstate(state)
        codes = (first.wait(), second.wait())
        for process, code in zip((first, second), codes, strict=True):
            refusal = ("is in use by", "already holds a run", "finished", "no checkpoint")
            self.check(
                code == 0 or (code == REFUSED and any(word in process.said() for word in refusal)), process, code
            )
        self.check(0 in codes, first, codes[0])
        self.finished()

    def move(self) -> None:
        """Rename the run's folder; the next round finds it there."""
        if self.run is not None and self.run.exists():
            self.names += 1
            self.run = self.run.rename(self.root / f"moved-{self.names}")

    def change_data(self) -> None:
        """Add a row to the data: a resume says so."""
        self._refused_after_change(self.data, '{"prompt": "One more."}\n')

    def change_reward(self) -> None:
        """Edit the reward: a resume says so."""
        self._refused_after_change(self.reward, "# better\n")

    def change_setting(self) -> None:
        """Ask for another rule: what restarts says so instead of going on as before."""
        if self.run is None or not checkpoints(self.run):
            return
        process = self.train("--or-resume", "trainer.learning_rate=0.5")
        code = process.wait()
        self.check(code == REFUSED and "learning_rate" in process.said(), process, code)

    def dry_run(self) -> None:
        """Look at the settings only: no file of the run changes."""
        if self.run is None or not self.run.exists():
            return
        before = listing(self.run)
        process = self.train("--or-resume", "--dry-run")
        code = process.wait()
        self.check(code == 0 and listing(self.run) == before, process, code)

    def _refused_after_change(self, path: Path, addition: str) -> None:
        if self.run is None or not checkpoints(self.run):
            return
        before = path.read_text()
        path.write_text(before + addition)
        process = self.heed("resume", self.run.name)
        code = process.wait()
        path.write_text(before)
        self.check(code == REFUSED and path.name in process.said(), process, code)

    def _disturb(self, process: Process, sign: signal.Signals) -> None:
        """Send a signal after a while that may lie anywhere in a run."""
        time.sleep(self.draw.uniform(0, self.seconds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.id, sign)

    # ---------------------------------------------------------------------------------------------------------- checks

    def check(self, holds: bool, process: Process, code: int) -> None:
        """Raise with what the command printed unless it ended as it should."""
        assert holds, f"exit code {code}\n{process.said()[-6000:]}"

    def finished(self) -> None:
        """Compare the finished run with the undisturbed one, and leave it."""
        assert self.run is not None
        assert product(self.run) == self.expected, f"{self.run} ended other than the undisturbed run"
        totals = Ledger(self.run / "ledger.sqlite", num_generations=4).totals()
        assert totals.trained == STEPS * 8 and totals.dispatched == totals.trained + totals.dropped, totals
        shutil.rmtree(self.run)
        self.run = None
        self.counts["finished"] += 1

    def undisturbed(self) -> None:
        """Train the run that the others are compared with, and see how long it takes."""
        began = time.monotonic()
        process = self.start()
        code = process.wait()
        self.check(code == 0, process, code)
        self.seconds = time.monotonic() - began
        assert self.run is not None
        self.expected = product(self.run)
        self.run = None


def product(run: Path) -> tuple[bytes, list]:
    """Return what a run leaves: the adapter's bytes, and its rollouts."""
    return (run / "adapters/default/adapter_model.safetensors").read_bytes(), read_jsonl(run / "rollouts.jsonl")


def checkpoints(run: Path) -> list[Path]:
    """Return the run's newest complete checkpoint, if it has one."""
    newest = newest_checkpoint(run)
    return [] if newest is None else [newest]


def listing(run: Path) -> list[tuple[str, int]]:
    """Return every file below a folder with the time of its change."""
    return sorted((str(path), path.stat().st_mtime_ns) for path in run.rglob("*"))


def soak(rounds: int, seed: int, root: Path) -> Counter:
    """Disturb runs for some rounds; return how often each disturbance came. Raises AssertionError for a wrong end."""
    prepare_environment()
    import rl.train  # noqa: F401  # forked processes have it in memory

    state = Soak(root, random.Random(seed))
    state.undisturbed()
    actions: list[Callable[[], None]] = [
        state.kill, state.kill, state.kill, state.preempt, state.preempt, state.complete, state.double, state.move,
        state.change_data, state.change_reward, state.change_setting, state.dry_run,
    ]  # fmt: skip
    for number in range(rounds):
        action = state.draw.choice(actions)
        state.counts[action.__name__] += 1
        print(f"round {number + 1}: {action.__name__} {state.run}", flush=True)
        action()
    return state.counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = Path(mkdtemp(prefix="heed-soak-"))
    print(f"in {folder}")
    print(dict(soak(options.rounds, options.seed, folder)))
