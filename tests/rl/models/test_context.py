"""Prompts that a model's context has no room for are refused by row, with both lengths."""

import pytest

from data.problems import Problem
from rl.common.errors import UserError
from rl.models.context import check_prompt_lengths
from rl.models.load import load_model, load_tokenizer

MODEL, TOKENIZER = load_model("tiny"), load_tokenizer("tiny")


def digits(count: int) -> Problem:
    # each digit is a token of the tiny model, and its context 2048
    return Problem(problem_id=f"d{count}", messages=({"role": "user", "content": "7" * count},))


def test_check_prompt_lengths__names_row_and_both_lengths():
    template = len(
        TOKENIZER.apply_chat_template([{"role": "user", "content": ""}], add_generation_prompt=True)["input_ids"]
    )
    fits, exceeds = digits(2047 - template), digits(2048 - template)
    check_prompt_lengths(MODEL, TOKENIZER, [fits], data="training problems")
    named = rf"problem 'd{2048 - template}'"
    sentence = rf"^training problems: the prompt of row 2 \({named}\) has 2048 tokens and the model's context 2048"
    with pytest.raises(UserError, match=sentence):
        check_prompt_lengths(MODEL, TOKENIZER, [fits, exceeds], data="training problems")
