"""Engines by name: an engine is built by the module that its line in `rl/config/engines.py` names."""

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rl.common.errors import RunFailure
from rl.config.engines import ENGINES
from rl.config.model import AdapterConfig, ModelConfig
from rl.config.routing import RoutingConfig
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.interfaces import Engine, WorkerEngine


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSetup:
    """How an engine reaches a server, and what it has to tell it.

    Example:
        ServerSetup(url="http://127.0.0.1:8000", names="heed-5e1f", folder=None, stop_token_ids=(2,), time_limit=600.0)
    """

    url: str
    names: str
    """How the names of all adapters begin that this start of a run loads, and no other start."""
    folder: Path | None
    """Where adapters are written for the server to read; None is the system's temporary folder."""
    stop_token_ids: tuple[int, ...]
    """The tokens that end an answer."""
    time_limit: float
    """Seconds that one request may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSetup:
    """Everything a worker's engine is built from: plain values that travel to another machine."""

    model: ModelConfig
    lora: AdapterConfig
    routing: RoutingConfig
    generation: GenerationConfig
    rounded_adapter: bool = False
    """Whether the learner holds the adapter in the model's dtype, as DeepSpeed does, and not in float32."""
    options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments for the engine's own package."""
    server: ServerSetup | None = None


def build_worker_engine(name: str, setup: EngineSetup) -> WorkerEngine:
    """Build an engine that loads a model of its own."""
    return _module(name).worker_engine(setup)


def build_local_engine(
    name: str, model: Any, tokenizer: Any, generation: GenerationConfig, routing: RoutingConfig
) -> Engine:
    """Build an engine that samples from the live model in this process."""
    return _module(name).local_engine(model, tokenizer, generation, routing)


def import_package(name: str) -> Any:
    """Import the package that an engine needs, if it needs one. Raises RunFailure when it cannot be imported."""
    spec = ENGINES[name]
    if spec.package is None:
        return None
    try:
        return importlib.import_module(spec.package)
    except ImportError as error:
        others = " or ".join(other for other, its in ENGINES.items() if its.package is None)
        raise RunFailure(
            f"rollouts.engine={name} needs {spec.package}, which cannot be imported here ({error}); install it with "
            f"{spec.install}, or set rollouts.engine={others}"
        ) from error


def _module(name: str) -> Any:
    return importlib.import_module(ENGINES[name].module)
