"""Measurement of one GRPO step of the real model: the memory of its phases as JSON, in a fresh process.

`python measure_peak.py ROWS COMPLETION_TOKENS FOLDER`. All numbers are bytes above the idle process, which has imported
everything and loaded nothing; the peaks are the kernel's (VmHWM).
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rl.config.root import Config
from tests.rl.grpo_fixtures import credit_trainer, tiny_config


def status_bytes(name: str) -> int:
    """Return a line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def reset_peak() -> None:
    """Let the kernel measure the peak anew."""
    Path("/proc/self/clear_refs").write_text("5")


def step_config(rows: int, completion: int) -> Config:
    """One optimizer step over `rows` completions of at most `completion` tokens."""
    return tiny_config(
        model={"name": "smollm2-135m-instruct", "dtype": "float32"},
        lora={"r": 16, "alpha": 32},
        trainer={
            "per_device_train_batch_size": rows,
            "gradient_accumulation_steps": 1,
            "max_completion_length": completion,
            "max_steps": 1,
            "beta": 0.0,
        },
    )


def main(rows: int, completion: int, folder: str) -> None:
    idle = status_bytes("VmRSS")
    trainer = credit_trainer(step_config(rows, completion), Path(folder))
    measured = {"loaded": status_bytes("VmRSS") - idle}

    def with_peak(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            reset_peak()
            result = method(*arguments, **named)
            measured[name] = status_bytes("VmHWM") - idle
            if name == "sample":
                measured["prompt_tokens"] = max(map(len, result["prompt_ids"]))
            return result

        return call

    trainer.rollout_func = with_peak("sample", trainer.rollout_func)
    trainer.compute_loss = with_peak("forward", trainer.compute_loss)
    trainer.accelerator.backward = with_peak("backward", trainer.accelerator.backward)
    trainer.train()
    print(json.dumps(measured))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
