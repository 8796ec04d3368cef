"""Imports: the contracts between rooms, and the modules that must start without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "trl", "peft", "ray", "datasets", "deepspeed", "wandb")


@pytest.mark.parametrize(
    "modules",
    [
        "rl.config.root, rl.config.load",
        "rewards, rewards.verifiers",
        "data, data.expansion",
        "launch.cli.main",
        "rl.models.builtin",
    ],
)
def test_imports__modules_that_must_start_quickly_need_no_heavy_library(modules):
    program = f"import sys, {modules}; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    command = [sys.executable, "-c", program]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output.split() == []


def test_imports__the_contracts_hold():
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
