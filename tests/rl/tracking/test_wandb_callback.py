"""Tracking: what the trainer logs becomes lines of the journal; wandb gets it too, and cannot harm the run."""

from pathlib import Path
from typing import Any

import pytest
import wandb
from PIL import Image
from transformers import TrainerControl, TrainerState, TrainingArguments

from attention_probes.heads import HeadRoles
from rl.config.credit import ProbeConfig
from rl.config.root import Config
from rl.config.run import TrackingConfig
from rl.runs.jsonl import JsonlFile, read_jsonl
from rl.tracking import wandb_callback
from rl.tracking.metrics import MetricsCallback, start_trackers, trainers_own_trackers
from rl.tracking.wandb_callback import WandbCallback, run_id, verdict_words
from tests.rl.tracking.wandb_files import read_offline_runs


def log(folder: Path, state: TrainerState, logs: dict[str, float]) -> None:
    """Hand the figures to the callback as the trainer does."""
    arguments = TrainingArguments(output_dir=str(folder), report_to="none", use_cpu=True)
    MetricsCallback(JsonlFile(folder / "metrics.jsonl")).on_log(arguments, state, TrainerControl(), logs=logs)


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


def faithfulness_monitor(folder: Path, *, steps: range, told: list[str], adapter: Path | None = None) -> None:
    """What a trainer and the end of a run call."""
    HeadRoles(local_heads=((1, 0),), global_heads=((2, 3),)).save(folder / "roles.json")
    config = Config(tracking=TrackingConfig(project="trial"), probe=ProbeConfig(roles=folder / "roles.json"))
    callback = WandbCallback(config, folder, warn=told.append)
    callback.spans = lambda ids: [(0, 2), (2, 4)]
    state = TrainerState(global_step=steps.start - 1)
    callback.on_train_begin(None, state, None)
    for state.global_step in steps:
        callback.on_log(None, state, None, logs={"reward": state.global_step / 10, "credit/gini": 0.1})
    JsonlFile(folder / "rollouts.jsonl").append(record(steps.stop - 1))
    callback.on_save(None, state, None)
    callback.finish(adapter, {"before": {"pass_rate": 0.4}, "after": {"pass_rate": 0.6}})


def test_figures_are_written_with_their_step(tmp_path):
    log(tmp_path, TrainerState(global_step=3), {"reward": 0.5, "credit/gini": 0.1})
    log(tmp_path, TrainerState(global_step=4), {})
    assert read_jsonl(tmp_path / "metrics.jsonl") == [{"step": 3, "reward": 0.5, "credit/gini": 0.1}]


def test_only_the_first_rank_writes(tmp_path):
    log(tmp_path, TrainerState(global_step=3, is_world_process_zero=False), {"reward": 0.5})
    assert read_jsonl(tmp_path / "metrics.jsonl") == []


def test_wandb_is_ours_and_the_others_are_the_trainers(tmp_path):
    both = Config(tracking=TrackingConfig(report_to=("wandb", "tensorboard")))
    (tracker,) = start_trackers(both, tmp_path)
    tracker.finish()
    assert trainers_own_trackers(both.tracking) == ["tensorboard"]
    assert start_trackers(Config(), tmp_path) == []
    assert trainers_own_trackers(TrackingConfig()) == []


def test_a_run_keeps_its_id(tmp_path):
    assert run_id(tmp_path) == run_id(tmp_path)
    (tmp_path / "other").mkdir()
    assert run_id(tmp_path / "other") != run_id(tmp_path)


def test_verdicts_are_words():
    verdicts = [
        {"id": "a", "satisfied": True, "margin": 2.0},
        {"id": "b", "satisfied": False, "margin": -1.5},
        {"id": "c", "satisfied": None, "margin": 0.0},
    ]
    assert verdict_words(verdicts) == "a: kept (2)\nb: broken (-1.5)\nc: does not apply (0)"


@pytest.mark.slow
def test_an_offline_run_is_read_back_and_a_resume_continues_it(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr(wandb_callback, "TIMEOUT_SECONDS", 600.0)  # slow is no failure on a shared machine
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    told: list[str] = []
    faithfulness_monitor(tmp_path, steps=range(1, 3), told=told)
    faithfulness_monitor(tmp_path, steps=range(3, 5), told=told, adapter=adapter)
    assert told == []
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
    assert all("layer 2, head 3: global" in path.read_text() for path in maps)
    assert len(maps) == 2, "each start shows the map"
    for name in ("rhythm", "constraints"):
        drawn = sorted(tmp_path.rglob(f"probe_figures/{name}_*.png"))
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


def test_a_wandb_that_fails_is_told_once_and_harms_nothing(tmp_path, monkeypatch):
    def refuse(**_: Any) -> None:
        raise wandb.errors.CommError("network is unreachable")

    monkeypatch.setattr(wandb, "init", refuse)
    told: list[str] = []
    faithfulness_monitor(tmp_path, steps=range(1, 4), told=told)
    assert told == ["wandb failed and is left out from here on (CommError: network is unreachable)"]
