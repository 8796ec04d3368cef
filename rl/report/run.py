"""Recorded runs: settings, metrics, recorded rollouts and held-out answers, read back from a run folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl.config.load import load_run_config
from rl.config.root import Config
from rl.evaluation.evaluate import Evaluation, load_evaluation
from rl.runs.jsonl import read_jsonl


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedRun:
    """The contents of a run folder; what an unfinished run has not written yet is empty or None."""

    folder: Path
    config: Config
    environment: dict[str, Any]
    metrics: list[dict[str, Any]]
    rollouts: list[dict[str, Any]]
    before: Evaluation | None
    after: Evaluation | None
    summary: dict[str, Any] | None

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def last_step(self) -> int:
        """The last optimizer step with metrics; 0 before the first."""
        return max((line["step"] for line in self.metrics), default=0)


def read_run(folder: Path) -> RecordedRun:
    """Read a run folder. Raises FileNotFoundError when the folder holds no run."""
    return RecordedRun(
        folder=folder,
        config=load_run_config(folder),
        environment=_json(folder / "environment.json") or {},
        metrics=read_jsonl(folder / "metrics.jsonl"),
        rollouts=read_jsonl(folder / "rollouts.jsonl"),
        before=_evaluation(folder / "before.json"),
        after=_evaluation(folder / "after.json"),
        summary=_json(folder / "summary.json"),
    )


def _evaluation(path: Path) -> Evaluation | None:
    return load_evaluation(path) if path.exists() else None


def _json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
