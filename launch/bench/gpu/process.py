"""Process of a stage: started, ended with all that it started when its time is up, and read."""

import json
import os
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from launch.bench.gpu.child import OUTCOME, ROWS
from launch.bench.gpu.stage import Row, Stage
from rl.runs.jsonl import read_jsonl

LOG, LOG_LINES = "log.txt", 40
ENDING_SECONDS = 5.0
"""For processes that were killed to be gone, and for their memory on the GPU to be free."""
OFFLINE = {"HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline"}
"""Nothing is asked of a hub."""


def run_stage(stage: Stage, folder: Path, *, on_gpu: bool, model: str, seconds: float) -> dict[str, Any]:
    """Run a stage in a process of its own, for `seconds` at most, and return its outcome.

    What it leaves in memory, and the error that spoils a GPU for a whole process, is over with the process.
    """
    device = "cuda" if on_gpu else "cpu"
    command = [sys.executable, "-m", "launch.bench.gpu.child", stage.module, device, model, str(folder)]
    hidden = {} if on_gpu else {"CUDA_VISIBLE_DEVICES": ""}
    with (folder / LOG).open("w", encoding="utf-8") as log:
        # In a session of its own, so that Ctrl-C reaches this process alone, which then ends the stage.
        process = subprocess.Popen(
            command, env={**os.environ, **OFFLINE, **hidden}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return {"status": "timed out", "error": f"not done within {seconds:.0f} s", "log": log_end(folder)}
        finally:
            end_tree(process)
    return outcome_of(folder, code)


def outcome_of(folder: Path, code: int) -> dict[str, Any]:
    """Return the outcome that a stage's process left, or how it ended without one."""
    path = folder / OUTCOME
    if path.is_file():
        outcome = json.loads(path.read_text(encoding="utf-8"))
    else:
        ended = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        last = [line for line in log_end(folder) if line.strip()][-1:]
        outcome = {"status": "failed", "error": ": ".join([f"its process {ended}", *last])}
    return outcome | ({"log": log_end(folder)} if outcome["status"] == "failed" else {})


def rows_of(folder: Path) -> list[Row]:
    """Return the rows that a stage has written so far."""
    return read_jsonl(folder / ROWS)


def log_end(folder: Path) -> list[str]:
    """Return the last lines that a stage's process and its children printed."""
    with (folder / LOG).open(encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for line in deque(file, maxlen=LOG_LINES)]


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with its descendants, and whatever it left in its session when it ended by itself."""
    left = [one for one in psutil.process_iter() if session_of(one.pid) == process.pid]
    with suppress(psutil.NoSuchProcess):
        left += psutil.Process(process.pid).children(recursive=True)
    for one in left:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(left, timeout=ENDING_SECONDS)
    process.wait()


def session_of(number: int) -> int | None:
    """Return the session of a process; None of one that is gone."""
    try:
        return os.getsid(number)
    except ProcessLookupError:
        return None
