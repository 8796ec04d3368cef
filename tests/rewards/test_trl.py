"""TRL rewards: a reward for one text gets TRL's signature."""

import pytest

from rewards.trl import batch_reward


def exact_match(completion: str, reference: str) -> float | None:
    """1 if equal, None without a reference."""
    return float(completion == reference) if reference else None


def call(function, **columns):
    chat = [{"role": "assistant", "content": "12"}]
    return batch_reward(function)(prompts=["a", "b"], completions=["7", chat], completion_ids=[[1], [2]], **columns)


def test_batch_reward__distributes_columns_and_reads_chat_as_text():
    assert call(exact_match, reference=["7", "13"], task=["x", "y"]) == [1.0, 0.0]


def test_batch_reward__none_stays_none():
    assert call(exact_match, reference=["7", ""]) == [1.0, None]


def test_batch_reward__keeps_the_name():
    assert batch_reward(exact_match).__name__ == "exact_match"


def test_batch_reward__passes_the_prompt_and_other_keywords():
    assert call(lambda text, prompt, trainer_state: float(prompt == "b") + trainer_state, trainer_state=2) == [2.0, 3.0]


def test_batch_reward__default_replaces_a_missing_column():
    assert call(lambda text, weight=0.5: weight) == [0.5, 0.5]


def test_batch_reward__missing_column_is_an_error():
    with pytest.raises(ValueError, match=r"exact_match needs the columns \['reference'\]"):
        call(exact_match)


def test_batch_reward__exception_stops_the_batch():
    with pytest.raises(ZeroDivisionError):
        call(lambda text: 1 / 0)
