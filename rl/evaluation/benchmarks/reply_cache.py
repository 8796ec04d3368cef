"""Reply cache: greedy completions kept by prompt, so that strategies which ask the same thing sample it once."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rl.common.atomic import write_text
from rl.rollouts.interfaces import Engine
from rl.rollouts.types import RolloutRequest, Sample

SAMPLE = TypeAdapter(Sample)


class CachedEngine:
    """Samples the prompts that a folder holds no completion of, and keeps each completion in a file of its own.

    `sampled_by` is all but the prompt that a greedy completion depends on: model, weights, longest completion.
    """

    def __init__(self, engine: Engine, folder: Path, *, sampled_by: Mapping[str, Any]):
        self.engine = engine
        self.folder = folder / _digest(sampled_by)

    def sample(self, request: RolloutRequest) -> list[Sample]:
        """Return one sample a row, in order. A request is of single completions: `num_generations` is 1."""
        missing = [row for row, prompt in enumerate(request.prompts) if not self._file(prompt).exists()]
        if missing:
            tasks = tuple(request.tasks[row] for row in missing) if request.tasks else ()
            prompts = tuple(request.prompts[row] for row in missing)
            for sample in self.engine.sample(replace(request, prompts=prompts, tasks=tasks)):
                write_text(self._file(sample.prompt_ids), json.dumps(asdict(sample)))
        return [replace(self._cached(prompt), version=request.version) for prompt in request.prompts]

    def _file(self, prompt: tuple[int, ...]) -> Path:
        return self.folder / f"{_digest(prompt)}.json"

    def _cached(self, prompt: tuple[int, ...]) -> Sample:
        return SAMPLE.validate_json(self._file(prompt).read_bytes())


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
