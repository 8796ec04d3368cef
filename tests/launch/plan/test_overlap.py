"""Overlap: a step's sampling and learning by hand, and where sampling ahead brings nothing."""

from typing import Any

import pytest

from launch.plan.build import make_plan
from launch.plan.device import GIB, Device
from launch.plan.overlap import Overlap, learning_bytes, predicted_overlap, sampling_bytes
from launch.plan.prompts import PromptLengths
from launch.plan.shape import shape_of
from launch.plan.workload import Workload
from rl.config.load import parse_config
from rl.config.root import Config

GPU = Device(name="a GPU", memory=80 * GIB, is_gpu=True, has_bf16=True)
CPU = Device(name="CPU", memory=8 * GIB, is_gpu=False, has_bf16=False)
LENGTHS = PromptLengths(mean=20.0, longest=30, counted=True, num_problems=16)
WEIGHTS = shape_of("tiny").num_parameters


def config(*, workers: int = 1, trainer: dict[str, Any] | None = None, **rollouts: Any) -> Config:
    sizes = {
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "num_generations": 4,
        "max_completion_length": 12,
    }
    tree = {"model": {"name": "tiny"}, "trainer": {**sizes, **(trainer or {})}}
    return parse_config({**tree, "rollouts": {"workers": workers, "gpus": 1, **rollouts}})


def workload(device: Device = GPU) -> Workload:
    return Workload(shape=shape_of("tiny"), dtype="bfloat16", longest_prompt=30, device=device)


def test_sampling_bytes__read_the_weights_for_each_token_of_each_unit():
    # 8 rows make few operations, so each of 12 tokens costs a pass over the weights, of two bytes each; the prompts of
    # both groups take 2 operations a weight for each of their 20 tokens
    assert sampling_bytes(config(), workload(), LENGTHS, 1) == pytest.approx(WEIGHTS * 24.4)
    # two units of a group each: one after the other, or on two workers
    one_a_unit = config(groups_per_unit=1)
    assert sampling_bytes(one_a_unit, workload(), LENGTHS, 1) == pytest.approx(2 * WEIGHTS * 24.2)
    assert sampling_bytes(one_a_unit, workload(), LENGTHS, 2) == pytest.approx(WEIGHTS * 24.2)


def test_sampling_bytes__of_many_rows_are_their_operations():
    many = config(trainer={"per_device_train_batch_size": 800, "gradient_accumulation_steps": 1})
    # 800 rows of 2 operations a weight take as long as reading 8 bytes
    assert sampling_bytes(many, workload(), LENGTHS, 1) == pytest.approx(WEIGHTS * (12 * 8 + 200 * 2 * 20 / 200))


@pytest.mark.parametrize(
    ("changes", "tokens", "operations"),
    [
        ({}, 2 * 20 + 8 * 12, 4),  # forward and backward
        ({"shared_prompts": False}, 8 * 20 + 8 * 12, 4),
        ({"gradient_checkpointing": True}, 2 * 20 + 8 * 12, 6),  # forward twice
        ({"beta": 0.1}, 2 * 20 + 8 * 12, 6),  # and the reference
        ({"num_iterations": 2}, 2 * 20 + 8 * 12, 8),
    ],
)
def test_learning_bytes__count_each_token_once_a_pass(changes, tokens, operations):
    assert learning_bytes(config(trainer=changes), workload(), LENGTHS) == pytest.approx(
        operations * WEIGHTS * tokens / 200
    )


def test_predicted_overlap__is_the_longer_of_both_over_their_sum():
    found = predicted_overlap(config(), workload(), LENGTHS)
    sampling, learning = 12 * 2 + 0.4, 4 * 136 / 200
    assert found == Overlap(
        sampling_share=pytest.approx(sampling / (sampling + learning)),  # pyright: ignore[reportArgumentType]
        step_ratio=pytest.approx(sampling / (sampling + learning)),  # pyright: ignore[reportArgumentType]
    )


def test_predicted_overlap__is_none_where_nothing_can_be_sampled_ahead():
    for settings, device in (
        (config(workers=0), GPU),
        (config(max_staleness=1), GPU),
        (config(gpus=0.05), GPU),  # beside the rank
        (config(), CPU),
    ):
        assert predicted_overlap(settings, workload(device), LENGTHS) is None


def test_make_plan__offers_the_overlap(capsys):
    from launch.plan.show import plan_values, show_plan

    plan = make_plan(config(), GPU)
    show_plan(plan)
    shown = " ".join(capsys.readouterr().out.split())
    assert "with rollouts.max_staleness=1 workers sample while the learner trains" in shown
    assert plan_values(plan)["overlap"].keys() == {"sampling_share", "step_ratio"}
