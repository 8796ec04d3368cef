"""Trainings with attention of another kind: calibrated alike in learner and sampler, or sparse in the sampler alone."""

import pytest

from attention_probes.calibration import Calibration
from rl.runs.jsonl import read_jsonl
from rl.train import train
from tests.rl.grpo_fixtures import tiny_config

SHORT = {"max_steps": 2, "max_completion_length": 6}


def logged(config) -> list[dict]:
    return [line for line in read_jsonl(train(config) / "metrics.jsonl") if "loss" in line]


@pytest.fixture
def folder(tmp_path) -> dict:
    return {"folder": str(tmp_path / "run")}


def test_calibrated_training__learner_and_sampler_compute_the_same(folder, tmp_path):
    path = tmp_path / "calibration.json"
    Calibration(heads=((0, 0), (1, 1)), threshold=0.02, min_queries=4).save(path)
    trainer = {**SHORT, "shared_prompts": False}
    config = tiny_config(run=folder, trainer=trainer, model={"calibration": str(path)}, tracking={"report_to": []})
    lines = logged(config)
    assert len(lines) == 2 and max(line["sync/logp_gap_max"] for line in lines) < 1e-4
    plain = tiny_config(run={"folder": str(tmp_path / "plain")}, trainer=trainer, tracking={"report_to": []})
    assert [line["loss"] for line in logged(plain)] != [line["loss"] for line in lines]


def test_sparse_training__tokens_of_a_plan_are_weighed(folder):
    """The first step's only request is read densely, for the comparison; the second's prompts by the plan."""
    sparse = {"plan": "window", "block": 4, "blocks": 1, "dense_layers": 0, "agreement": 0.0}
    config = tiny_config(run=folder, trainer=SHORT, rollouts={"sparse": sparse}, tracking={"report_to": []})
    dense, sparse = logged(config)
    assert dense["sync/sparse_admitted"] == sparse["sync/sparse_admitted"] == 1.0
    assert dense["sync/sparse_density"] == 1.0 and dense["sync/logp_gap_max"] < 1e-4
    assert sparse["sync/sparse_density"] < 1.0 and sparse["sync/logp_gap_max"] > 1e-3
    assert abs(sparse["sync/ratio_max"] - 1.0) > 1e-4


def test_sparse_training__is_plain_training_where_the_gate_is_closed(folder, tmp_path):
    sparse = {"plan": "window", "block": 4, "blocks": 1, "dense_layers": 0, "agreement": 1.0}
    closed = tiny_config(run=folder, trainer=SHORT, rollouts={"sparse": sparse}, tracking={"report_to": []})
    plain = tiny_config(run={"folder": str(tmp_path / "plain")}, trainer=SHORT, tracking={"report_to": []})
    losses = [[(line["loss"], line["grad_norm"]) for line in logged(config)] for config in (closed, plain)]
    assert losses[0] == losses[1]
