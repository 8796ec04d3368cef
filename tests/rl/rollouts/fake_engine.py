"""A toy engine for real workers: it needs no model, and does as it is told, so that a test of Ray is a test of Ray."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor

from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.workers.worker import Worker

NODE = "HEED_TEST_NODE"
"""Names the emulated node that a worker runs on."""


@dataclass
class ToyEngine:
    """Answers a unit with its position and the adapter's first number; `mischief` may do worse."""

    mischief: Callable[[RolloutRequest], None]

    def __post_init__(self):
        self.tensors: dict[str, Tensor] = {}

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        self.tensors = load(payload)
        return ()

    def active(self) -> dict[str, Tensor]:
        return self.tensors

    def token_logprobs(self, token_ids: tuple[int, ...]) -> list[float]:
        return [float(self.tensors[name].sum()) for name in sorted(self.tensors)]

    def sample(self, unit: RolloutRequest) -> list[Sample]:
        self.mischief(unit)
        answer = (unit.position, int(self.tensors["a.lora_B"][0]))
        return [
            Sample(
                prompt_ids=prompt,
                completion_ids=answer,
                logprobs=(0.0, 0.0),
                finish_reason="stop",
                version=unit.version,
            )
            for prompt in unit.prompts
            for _ in range(unit.num_generations)
        ]


@dataclass(frozen=True)
class ToyRecipe:
    """What makes a toy worker; `mischief` happens in units at `positions`, the first `times` times.

    Marks on disk count, because a worker that dies forgets.
    """

    marks: Path
    mischief: str = "none"
    positions: tuple[int, ...] = ()
    times: int = 1

    def __call__(self, name: str) -> Worker:
        return Worker(ToyEngine(self.act), name=name, probe_ids=(1, 2))

    def act(self, unit: RolloutRequest) -> None:
        if unit.position not in self.positions or len(list(self.marks.glob("[0-9]*"))) >= self.times:
            return
        mark = self.marks / f".{time.monotonic_ns()}"
        mark.write_text(os.environ.get(NODE, ""))
        mark.rename(mark.with_name(mark.name[1:]))
        match self.mischief:
            case "die":
                os._exit(1)
            case "raise":
                raise ValueError("odd prompt")
            case "hang":
                time.sleep(3600.0)


def toy_adapter(number: float) -> dict[str, Tensor]:
    return {"a.lora_A": torch.ones(2), "a.lora_B": torch.full((2,), number)}
