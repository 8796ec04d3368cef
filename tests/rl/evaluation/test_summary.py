"""Run summary: the seconds of a training, whatever the steps between its log lines."""

import pytest

from rl.evaluation.summary import train_seconds
from rl.runs.jsonl import JsonlFile


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ([{"step": 1, "step_time": 2.0}, {"step": 2, "step_time": 4.0}, {"step": 2, "train_runtime": 9.0}], 6.0),
        # means of 2 steps, and of the 1 that was left: 2 x 3 + 2 x 4 + 1 x 5
        (
            [
                {"step": 2, "step_time": 3.0},
                {"step": 3, "eval/pass_rate": 0.5},
                {"step": 4, "step_time": 4.0},
                {"step": 5, "step_time": 5.0, "train_runtime": 30.0},
            ],
            19.0,
        ),
        ([{"step": 1, "loss": 0.5}, {"step": 2, "train_runtime": 9.0}], 9.0),
    ],
)
def test_train_seconds__count_every_step(lines, seconds, tmp_path):
    JsonlFile(tmp_path / "metrics.jsonl").append(*lines)
    assert train_seconds(tmp_path) == seconds
