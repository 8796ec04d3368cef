"""Run folders made up for the report: as small or as long as a test needs."""

import json
from pathlib import Path
from typing import Any

from rl.common.atomic import write_json, write_text
from rl.config.load import resolved_yaml
from rl.runs.jsonl import JsonlFile
from tests.rl.grpo_fixtures import tiny_config


def letter_spans(completion_ids: list[int]) -> list[tuple[int, int]]:
    """As if each token had written one letter."""
    return [(index, index + 1) for index in range(len(completion_ids))]


def make_record(**changes: Any) -> dict[str, Any]:
    """A recorded completion of three one-letter tokens."""
    return {
        "which": "best",
        "step": 1,
        "problem_id": "sea",
        "prompt": "Describe the sea. Use no commas.",
        "completion": "a,b",
        "completion_ids": [5, 6, 7],
        "reward": 0.5,
        "advantage": 1.0,
        "weights": [0.5, 1.5, 1.0],
        "verdicts": [
            {
                "id": "punctuation:no_comma",
                "spans": [[18, 32]],
                "satisfied": False,
                "margin": -1.0,
                "evidence": [[1, 2]],
            }
        ],
        **changes,
    }


def make_answer(**changes: Any) -> dict[str, Any]:
    """One held-out answer as in `before.json`."""
    return {
        "problem_id": "sea",
        "prompt": "Describe the sea.",
        "completion": "wide",
        "satisfied": [["punctuation:no_comma", True]],
        "num_words": 1,
        "distinct_share": 1.0,
        "on_topic": 1.0,
        "not_echo": 1.0,
        **changes,
    }


def make_summary(**gain: float) -> dict[str, Any]:
    """A summary whose answers are as long after training as before."""
    guards = {"distinct_share": 0.9, "on_topic": 0.9, "not_echo": 0.9}
    side = {"pass_rate": 0.5, "all_satisfied": 0.5, "mean_words": 20.0, **guards}
    kinds = {"punctuation:no_comma": {"satisfied": 1, "of": 2}}
    return {
        "steps": 4,
        "train_seconds": 1.5,
        "before": {**side, "kinds": kinds},
        "after": {**side, "kinds": kinds},
        "gain": {"mean": 0.1, "low": -0.1, "high": 0.3, "num_problems": 2, **gain},
    }


def make_folder(
    folder: Path, *, metrics: list[dict], rollouts: list[dict] = (), summary: dict | None = None, **settings: Any
) -> Path:
    """A run folder with these journals, and without answers."""
    folder.mkdir(parents=True)
    write_text(folder / "config.yaml", resolved_yaml(tiny_config(**settings)))
    JsonlFile(folder / "metrics.jsonl").append(*metrics)
    JsonlFile(folder / "rollouts.jsonl").append(*rollouts)
    if summary is not None:
        write_json(folder / "summary.json", summary)
    return folder


def page_data(page: str) -> dict[str, Any]:
    """What the page's scripts would read."""
    _, _, rest = page.partition('<script type="application/json" id="data">')
    return json.loads(rest.partition("</script>")[0])
