"""Helpers: train with several ranks, in separate processes, and compare with one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from rl.runs.jsonl import read_jsonl
from tests.rl.grpo_fixtures import EVEN_SHARE

STEPS = 4
COMMON = [
    f"rewards.functions=[{EVEN_SHARE}]",
    f"trainer.max_steps={STEPS}",
    "trainer.beta=0.04",
    "data.held_out=2",
    "evaluation.batch_size=1",  # a batch for each of two ranks
]
DEADLINE = 240.0
HEED_TRAIN = [sys.executable, "-m", "launch.cli", "train"]
TWO_RANKS = [*COMMON, "distributed.processes=2", "trainer.per_device_train_batch_size=4"]


def run_together(folder: Path, *overrides: str, code: int = 0, environment: dict[str, str] | None = None) -> None:
    """Run `heed train tiny` in a separate process, which starts the ranks."""
    heed("tiny", f"run.folder={folder}", *TWO_RANKS, *overrides, code=code, environment=environment)


def heed(*arguments: str, code: int = 0, environment: dict[str, str] | None = None) -> str:
    """Run `heed train` to its end; return what it printed."""
    done = subprocess.run(
        [*HEED_TRAIN, *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def adapter_of(run: Path) -> dict:
    return load_file(run / "adapters" / "default" / "adapter_model.safetensors")


def assert_equal_trainings(run: Path, alone: Path) -> None:
    lines = [[line for line in read_jsonl(one / "metrics.jsonl") if "loss" in line] for one in (run, alone)]
    assert [line["step"] for line in lines[0]] == list(range(1, STEPS + 1))
    for name in ("loss", "reward", "grad_norm", "kl"):
        assert [line[name] for line in lines[0]] == pytest.approx([line[name] for line in lines[1]], abs=1e-4), name
    ours, theirs = adapter_of(run), adapter_of(alone)
    assert ours.keys() == theirs.keys()
    assert max((ours[name] - theirs[name]).abs().max().item() for name in ours) < 1e-4
    after = json.loads((run / "summary.json").read_text())["after"]
    assert after == json.loads((alone / "summary.json").read_text())["after"]
