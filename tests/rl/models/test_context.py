"""Prompts that a model's context has no room for are refused by row, with both lengths."""

import pytest

from data.problems import Problem
from rl.common.errors import UserError
from rl.models.context import check_messages, check_prompt_lengths
from rl.models.load import load_model, load_tokenizer
from rl.models.tiny import tiny_tokenizer
from rl.models.tokenization import encode_problems

MODEL, TOKENIZER = load_model("tiny"), load_tokenizer("tiny")


def digits(count: int) -> Problem:
    # each digit is a token of the tiny model, and its context 2048
    return Problem(problem_id=f"d{count}", messages=({"role": "user", "content": "7" * count},))


def test_check_prompt_lengths__names_row_and_both_lengths():
    template = len(encode_problems(TOKENIZER, [digits(0)])[0])
    fits, exceeds = digits(2047 - template), digits(2048 - template)
    check_prompt_lengths(MODEL, TOKENIZER, [fits], data="training problems")
    named = rf"problem 'd{2048 - template}'"
    sentence = rf"^training problems: the prompt of row 2 \({named}\) has 2048 tokens and the model's context 2048"
    with pytest.raises(UserError, match=sentence):
        check_prompt_lengths(MODEL, TOKENIZER, [fits, exceeds], data="training problems")


def test_check_messages__names_the_roles_that_the_template_refuses():
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('System role not supported') if messages[0].role == 'system' }}"
    problem = Problem(problem_id="a", messages=({"role": "system", "content": "Be brief."}, digits(1).messages[0]))
    check_messages(MODEL, tokenizer, [digits(1)])
    with pytest.raises(UserError, match="refuses messages of the roles system, user: System role not supported; text"):
        check_messages(MODEL, tokenizer, [digits(1), problem])


def test_check_messages__names_a_token_beyond_the_embedding():
    tokenizer = tiny_tokenizer()
    check_messages(MODEL, tokenizer, [digits(1)])
    tokenizer.add_special_tokens({"eos_token": "<|end|>"})  # the tiny model has 512 tokens, 0 to 511
    with pytest.raises(UserError, match=r"larger than the model: 512 \('<\|end\|>'\) is beyond the 512 of"):
        check_messages(MODEL, tokenizer, [digits(1)])
