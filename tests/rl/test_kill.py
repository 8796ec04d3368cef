"""Law 7 under SIGKILL: whatever a killed run left behind, the continued one ends as the undisturbed one."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rl.journal import read_journal
from rl.run import train
from rl.settings import load_config
from tests.rl.training import EVEN_SHARE

CLI = "from launch.cli import main; main()"
DEADLINE = 300.0
# Enough steps for the kill to come in their midst, a checkpoint after each.
CHANGES = ["data.held_out=0", "trainer.max_steps=12", "trainer.save_steps=1", f"rewards.functions=[{EVEN_SHARE}]"]


def kill_once(process: subprocess.Popen, has_come: Callable[[], bool]) -> None:
    """SIGKILL the process as soon as `has_come`; it must still be alive then."""
    give_up = time.monotonic() + DEADLINE
    while not has_come():
        assert time.monotonic() < give_up, f"nothing to see after {DEADLINE:.0f} s"
        try:
            process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the run ended with {process.returncode} before it could be killed")
    process.kill()
    assert process.wait() == -signal.SIGKILL


def adapter_bytes(run: Path) -> bytes:
    return (run / "adapters" / "default" / "adapter_model.safetensors").read_bytes()


@pytest.mark.chaos
def test_a_killed_run_continues_to_the_same_adapter(tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    command = [sys.executable, "-c", CLI, "train", "tiny", *CHANGES, f"run.folder={killed}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kill_once(process, lambda: any(killed.glob("checkpoint-*/complete.json")))
    assert not (killed / "adapters").exists()

    train(load_config(f"{killed}/config.yaml", [f"resume={killed}"]))
    train(load_config("tiny", [*CHANGES, f"run.folder={undisturbed}"]))
    assert adapter_bytes(killed) == adapter_bytes(undisturbed)
    assert read_journal(killed / "rollouts.jsonl") == read_journal(undisturbed / "rollouts.jsonl")
