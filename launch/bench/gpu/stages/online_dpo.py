"""Stage: two rounds of online DPO, each of which samples, verifies and trains on the device."""

import json
import time
from collections.abc import Iterator

from launch.bench.gpu.stage import Row, Setup
from launch.bench.gpu.trainings import gpu_peak
from rl.config.load import parse_config
from rl.runs.jsonl import read_jsonl
from rl.train import train

ROUNDS = 2
PROBLEMS, SAMPLES = 8, 12


def measure(setup: Setup) -> Iterator[Row]:
    """Yield a row for each round, and one for all."""
    run = setup.folder / "run"
    config = parse_config(
        {
            "algorithm": "dpo",
            "model": {"name": "tiny"},
            # Random models write capitals or none, so that there is a better and a worse answer.
            "data": {"num_problems": PROBLEMS, "held_out": 2, "kinds": ["change_case:english_lowercase"]},
            "trainer": {"max_steps": 2, "per_device_train_batch_size": 2, "max_completion_length": 8},
            "pairs": {"rounds": ROUNDS, "samples": SAMPLES},
            "run": {"folder": str(run)},
        }
    )
    started = time.perf_counter()
    train(config)
    for number in range(1, ROUNDS + 1):
        steps = [line for line in read_jsonl(run / f"round-{number}" / "metrics.jsonl") if "loss" in line]
        yield {
            "round": number,
            "pairs": len(read_jsonl(run / f"round-{number}.pairs.jsonl")),
            "steps": len(steps),
            "loss": steps[-1]["loss"],
        }
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    yield {"seconds": time.perf_counter() - started, "steps": summary["steps"]} | gpu_peak(setup)
