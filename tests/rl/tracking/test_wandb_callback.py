"""wandb: it gets what the trainer logs, and cannot harm the run."""

from pathlib import Path
from typing import Any

import pytest
import wandb
from PIL import Image
from transformers import TrainerState

from attention_probes.heads import HeadRoles
from rl.config.credit import ProbeConfig
from rl.config.root import Config
from rl.config.run import TrackingConfig
from rl.runs.jsonl import JsonlFile
from rl.tracking import wandb_callback
from rl.tracking.wandb_callback import WandbCallback, run_id, verdict_words
from tests.rl.tracking.wandb_files import read_offline_runs


def record(step: int) -> dict[str, Any]:
    """A recorded completion of two tokens."""
    return {
        "step": step,
        "problem_id": "sea",
        "which": "best",
        "prompt": "Describe the sea.",
        "completion": "wide",
        "completion_ids": [7, 8],
        "weights": [0.5, 1.5],
        "mask": [1.0, 1.0],
        "fai": [0.1, 0.0],
        "waad": [1.0, 2.0],
        "reward": 1.0,
        "advantage": 0.5,
        "verdicts": [{"id": "punctuation:no_comma", "satisfied": True, "margin": 0.0, "attention": [2.0, 0.5]}],
    }


def show_training(folder: Path, *, steps: range, warnings: list[str], adapter: Path | None = None) -> None:
    """Call what a trainer and the end of a run call."""
    HeadRoles(local_heads=((1, 0),), global_heads=((2, 3),)).save(folder / "roles.json")
    config = Config(tracking=TrackingConfig(project="trial"), probe=ProbeConfig(roles=folder / "roles.json"))
    callback = WandbCallback(config, folder, warn=warnings.append)
    callback.spans = lambda ids: [(0, 2), (2, 4)]
    state = TrainerState(global_step=steps.start - 1)
    callback.on_train_begin(None, state, None)
    for state.global_step in steps:
        callback.on_log(None, state, None, logs={"reward": state.global_step / 10, "credit/gini": 0.1})
    JsonlFile(folder / "rollouts.jsonl").append(record(steps.stop - 1))
    callback.on_save(None, state, None)
    callback.finish(adapter, {"before": {"pass_rate": 0.4}, "after": {"pass_rate": 0.6}})


def test_run_id__is_the_same_after_a_resume(tmp_path):
    assert run_id(tmp_path) == run_id(tmp_path)
    (tmp_path / "other").mkdir()
    assert run_id(tmp_path / "other") != run_id(tmp_path)


def test_verdict_words__by_hand():
    verdicts = [
        {"id": "a", "satisfied": True, "margin": 2.0},
        {"id": "b", "satisfied": False, "margin": -1.5},
        {"id": "c", "satisfied": None, "margin": 0.0},
    ]
    assert verdict_words(verdicts) == "a: satisfied (2)\nb: violated (-1.5)\nc: does not apply (0)"


@pytest.mark.slow
def test_offline_run__is_read_back_and_continued_by_a_resume(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr(wandb_callback, "TIMEOUT_SECONDS", 600.0)  # slow is no failure on a shared machine
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    warnings: list[str] = []
    show_training(tmp_path, steps=range(1, 3), warnings=warnings)
    show_training(tmp_path, steps=range(3, 5), warnings=warnings, adapter=adapter)
    assert warnings == []
    wandb.teardown()  # its service writes on after a run has finished
    first, second = read_offline_runs(tmp_path)
    assert first.run_id == second.run_id == run_id(tmp_path)
    assert first.project == "trial"
    assert first.config["credit"]["rule"] == "uniform"
    logged = [line for run in (first, second) for line in run.history if "train/reward" in line]
    assert [line["train/global_step"] for line in logged] == [1, 2, 3, 4]
    assert [line["train/reward"] for line in logged] == [0.1, 0.2, 0.3, 0.4]
    assert {"train/credit/gini"} <= logged[0].keys()
    tables = [line for run in (first, second) for line in run.history if "rollouts" in line or "rollouts/_type" in line]
    assert len(tables) == 2
    maps = list(tmp_path.rglob("head_roles*.html"))
    assert len(maps) == 2, "each start shows the map"
    assert all("layer 2, head 3: global" in path.read_text() for path in maps)
    for name in ("rhythm", "constraints"):
        drawn = sorted(tmp_path.rglob(f"probe_plots/{name}_*.png"))
        assert len(drawn) == 2, "each save shows the newest completion's"
        for path in drawn:
            with Image.open(path) as image:
                assert image.width > 500
    assert second.artifacts[f"adapter-{second.run_id}"].keys() == {"adapter_config.json"}
    (heat,) = (
        file for path, file in second.artifacts[f"run-{second.run_id}-rollouts"].items() if path.endswith("html")
    )
    assert 'title="1.50"' in heat.read_text()
    assert heat.is_relative_to(tmp_path), "what a later `wandb sync` needs lies in the run folder"


def test_failing_wandb__is_reported_once_and_harms_nothing(tmp_path, monkeypatch):
    def refuse(**_: Any) -> None:
        raise wandb.errors.CommError("network is unreachable")

    monkeypatch.setattr(wandb, "init", refuse)
    warnings: list[str] = []
    show_training(tmp_path, steps=range(1, 4), warnings=warnings)
    assert warnings == ["wandb failed and is left out from here on (CommError: network is unreachable)"]
