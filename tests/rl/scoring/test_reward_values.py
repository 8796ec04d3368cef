"""Reward values: the usual numbers are taken, anything else is one sentence that names function, step and problem."""

import numpy as np
import pytest
import torch

from rl.common.errors import UserError
from rl.scoring.reward_values import reward_values


@pytest.mark.parametrize(
    "returned",
    [
        [1, 0.5],
        (True, 0.5),
        np.array([1.0, 0.5], dtype=np.float32),
        torch.tensor([1.0, 0.5]),
        [np.int64(1), np.float32(0.5)],
        [torch.tensor(1), torch.tensor([0.5])],
        [np.bool_(True), 0.5],
    ],
)
def test_reward_values__numbers_of_python_numpy_and_torch_are_taken(returned):
    values = reward_values(returned, name="near", problem_ids=("a", "b"), step=3)
    assert values == [1.0, 0.5] and all(type(value) is float for value in values)


@pytest.mark.parametrize(("returned", "values"), [([None, 1], [None, 1.0]), ([None, None], [None, None])])
def test_reward_values__none_is_no_reward(returned, values):
    assert reward_values(returned, name="near", problem_ids=("a", "b"), step=None) == values


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (["good", 1.0], r"near returned the str 'good' for problem 'a' in step 3; expected 2, one for each completion"),
        ([1.0, [2.0]], r"near returned the list \[2\.0\] for problem 'b' in step 3"),
        ([1.0, 1j], "near returned the complex 1j for problem 'b'"),
        ("good", "near returned the str 'good' in step 3, no list of rewards"),
        ({"a": 1.0}, "near returned the dict .* in step 3, no list"),
        (1.0, r"near returned the float 1\.0 in step 3, no list"),
        (np.float32(1.0), "near returned the float32 .* in step 3, no list"),
        (None, "near returned the NoneType None in step 3, no list"),
        ([1.0], "near returned 1 rewards in step 3; expected 2"),
    ],
)
def test_reward_values__anything_else_is_one_sentence(returned, words):
    with pytest.raises(UserError, match=rf"^rewards\.functions: {words}") as raised:
        reward_values(returned, name="near", problem_ids=("a", "b"), step=3)
    assert "\n" not in str(raised.value)
