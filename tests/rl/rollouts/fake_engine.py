"""A toy engine for real workers: it needs no model and fails on demand, so that a test of Ray tests Ray alone."""

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
"""Environment variable with the name of the emulated node that a worker runs on."""


@dataclass
class ToyEngine:
    """Answers a request with its position and the adapter's first number; `fail` is called first, and may raise."""

    fail: Callable[[RolloutRequest], None]

    def __post_init__(self):
        self.tensors: dict[str, Tensor] = {}

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        self.tensors = load(payload)
        return ()

    def active_tensors(self) -> dict[str, Tensor]:
        return self.tensors

    def inert_adapters(self, token_ids: tuple[int, ...]) -> tuple[str, ...]:
        return ()

    def token_logprobs(self, token_ids: tuple[int, ...]) -> list[float]:
        return [float(self.tensors[name].sum()) for name in sorted(self.tensors)]

    def sample(self, request: RolloutRequest) -> list[Sample]:
        self.fail(request)
        answer = (request.position, int(self.tensors["a.lora_B"][0]))
        return [
            Sample(
                prompt_ids=prompt,
                completion_ids=answer,
                logprobs=(0.0, 0.0),
                finish_reason="stop",
                version=request.version,
            )
            for prompt in request.prompts
            for _ in range(request.num_generations)
        ]


@dataclass(frozen=True)
class ToyFactory:
    """Makes toy workers, which fail at requests at `positions`, the first `times` times.

    Files in `marks` count those times, because a worker that dies loses its memory.
    """

    marks: Path
    failure: str = "none"
    positions: tuple[int, ...] = ()
    times: int = 1

    def __call__(self, name: str) -> Worker:
        return Worker(ToyEngine(self.act), name=name, probe_ids=(1, 2))

    def act(self, request: RolloutRequest) -> None:
        if request.position not in self.positions or not self.count():
            return
        match self.failure:
            case "die":
                os._exit(1)
            case "raise":
                raise ValueError("odd prompt")
            case "hang":
                time.sleep(3600.0)

    def count(self) -> bool:
        """Write the next file; return False when all are there.

        A hard link is made by one worker only, and its file is never seen without its text.
        """
        draft = self.marks / f".{os.getpid()}"
        draft.write_text(os.environ.get(NODE, ""))
        for number in range(self.times):
            try:
                os.link(draft, self.marks / str(number))
            except FileExistsError:
                continue
            return True
        return False


def toy_adapter(number: float) -> dict[str, Tensor]:
    return {"a.lora_A": torch.ones(2), "a.lora_B": torch.full((2,), number)}
