"""TRL's signature around a reward for one text."""

import pytest

from rewards.trl import batch_reward


def exact_match(completion: str, reference: str) -> float | None:
    """1 if equal, None without a reference."""
    return float(completion == reference) if reference else None


def call(function, **columns):
    chat = [{"role": "assistant", "content": "12"}]
    return batch_reward(function)(prompts=["a", "b"], completions=["7", chat], completion_ids=[[1], [2]], **columns)


def test_each_row_gets_its_own_column_value_and_chat_is_read_as_text():
    assert call(exact_match, reference=["7", "13"], task=["x", "y"]) == [1.0, 0.0]


def test_a_row_that_does_not_apply_stays_none():
    assert call(exact_match, reference=["7", ""]) == [1.0, None]


def test_the_name_stays():
    assert batch_reward(exact_match).__name__ == "exact_match"


def test_a_function_may_ask_for_the_prompt_and_for_what_is_no_column():
    assert call(lambda text, prompt, trainer_state: float(prompt == "b") + trainer_state, trainer_state=2) == [2.0, 3.0]


def test_a_default_stands_in_for_a_column_that_is_not_there():
    assert call(lambda text, weight=0.5: weight) == [0.5, 0.5]


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match=r"exact_match needs the columns \['reference'\]"):
        call(exact_match)


def test_an_exception_stops_the_batch():
    with pytest.raises(ZeroDivisionError):
        call(lambda text: 1 / 0)
