"""A stage's process: `python -m launch.bench.gpu.child MODULE DEVICE MODEL FOLDER` leaves rows and an outcome there."""

import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from launch.bench.gpu.stage import Setup, Skipped
from launch.environment import prepare_environment
from rl.common.atomic import write_json

ROWS, OUTCOME = "rows.jsonl", "outcome.json"


def run(module: str, setup: Setup, results: Path) -> None:
    """Measure; write each row at once, so that a stage that fails or is ended leaves what it had."""
    outcome: dict[str, Any] = {"status": "done"}
    try:
        with (results / ROWS).open("a", encoding="utf-8") as file:
            for row in importlib.import_module(module).measure(setup):
                file.write(json.dumps(row) + "\n")
                file.flush()
    except Skipped as error:
        outcome = {"status": "skipped", "reason": str(error)}
    except Exception as error:  # whatever a stage raises is what it found
        outcome = {"status": "failed", "error": last_line(error), "traceback": traceback.format_exc()}
    write_json(results / OUTCOME, outcome)


def last_line(error: Exception) -> str:
    """Return the error's name and the last line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__


def main() -> None:
    module, device, model, folder = sys.argv[1:]
    prepare_environment()
    scratch = Path(folder, "scratch")
    scratch.mkdir()
    run(module, Setup(on_gpu=device == "cuda", model=model, folder=scratch), Path(folder))


if __name__ == "__main__":
    main()
