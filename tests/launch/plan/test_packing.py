"""Rows of a micro-batch: with shared prompts a group is one row, worked out by hand."""

import pytest

from launch.plan.packing import Rows, learner_rows
from tests.rl.grpo_fixtures import tiny_config


@pytest.mark.parametrize(
    ("batch", "settings", "rows"),
    [
        (8, {"shared_prompts": False}, Rows(8, 70)),  # a prompt of 60 and a completion of 10 each
        (8, {}, Rows(2, 103)),  # two groups: 59 tokens, then four times the prompt's last and 10
        (2, {}, Rows(1, 81)),  # half a group: 59 tokens and two completions
        (6, {}, Rows(2, 103)),  # a group and a half, as long as the longer one
        (8, {"tokens_per_row": 206}, Rows(1, 206)),  # both groups in a row
        (12, {"tokens_per_row": 208}, Rows(2, 206)),
        (8, {"tokens_per_row": 100}, Rows(2, 103)),  # a group is never split
    ],
)
def test_learner_rows__by_hand(batch, settings, rows):
    sizes = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": 4, "max_completion_length": 10}
    config = tiny_config(trainer={**sizes, "num_generations": 4, **settings})
    assert learner_rows(config, 60) == rows


def test_learner_rows__have_a_group_each_where_gates_are_by_row():
    sizes = {"per_device_train_batch_size": 8, "num_generations": 4, "max_completion_length": 10}
    config = tiny_config(trainer={**sizes, "tokens_per_row": 500}, routing={"adapters": ["one", "other"]})
    assert learner_rows(config, 60) == Rows(2, 103)
