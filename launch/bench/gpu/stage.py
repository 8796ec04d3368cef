"""Stage: one measurement of `heed bench gpu`, made in a process of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
"""What a stage measured at a time. Under `finding`, if it is there, a sentence says what is not as it should be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A module whose `measure(setup)` yields rows.

    Its process imports nothing that the stage does not need, so it is named rather than imported.

    Example:
        Stage(module="launch.bench.gpu.stages.attention", seconds=30)
    """

    module: str
    seconds: float
    """Its share of the time; it may also take what earlier stages left."""

    @property
    def name(self) -> str:
        return self.module.rpartition(".")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What all stages measure with.

    Example:
        Setup(on_gpu=True, model="smollm2-135m-instruct", folder=Path("/tmp/bench/attention"))
    """

    on_gpu: bool
    """False rehearses on the CPU, with tiny models."""
    model: str
    """The model of stages that train or sample."""
    folder: Path
    """An empty folder for the stage's files."""

    @property
    def device(self) -> str:
        return "cuda" if self.on_gpu else "cpu"


class Skipped(Exception):
    """What a stage needs is not on this machine; the message says what."""


STAGES = tuple(
    Stage(module=f"launch.bench.gpu.stages.{name}", seconds=seconds)
    for name, seconds in {
        "machine": 10,
        "attention": 25,
        "exactness": 30,
        "sampling": 45,
        "step_time": 65,
        "synchronizations": 50,
        "memory": 35,
        "resume": 30,
        "overhead": 70,
        "routers": 40,
        "online_dpo": 30,
        "zero": 80,
        "probe_verbs": 25,
        "timeouts": 10,
        "placement": 10,
        "doctor": 45,
    }.items()
)
"""In this order, ten minutes in all. What is cheap and tells most comes first."""
