"""The warm-up: its tokenizer spells every chain, its model learns from what it is shown."""

import pytest

import launch.bench.chain_model
from data.problems import user_text
from data.toy_tasks.arithmetic import chain_problem, solution
from launch.bench.chain_model import chain_model, sign_tokenizer, warm_up
from rl.models.tokenization import encode_prompt


def test_every_character_is_a_token():
    tokenizer = sign_tokenizer()
    text = "7^5v3=" + solution("7^5v3=")
    ids = tokenizer.encode(text)
    assert len(ids) == len(text) and tokenizer.pad_token_id not in ids
    assert tokenizer.decode(ids) == text


def test_a_prompt_is_its_own_template():
    problem = chain_problem(0, 0)
    tokenizer = sign_tokenizer()
    ids = encode_prompt(tokenizer, [dict(message) for message in problem.messages])
    assert list(ids) == tokenizer.encode(user_text(problem))


def test_the_model_has_a_million_parameters_or_three():
    assert 1e6 <= chain_model(seed=0).num_parameters() <= 3e6


def test_a_model_that_is_good_enough_is_left_as_it_is():
    model = chain_model(seed=0)
    before = model.lm_head.weight.clone()
    warm_up(model, sign_tokenizer(), accuracy=0.0)
    assert before.equal(model.lm_head.weight)


def test_a_warm_up_that_gets_nowhere_says_so(monkeypatch):
    monkeypatch.setattr(launch.bench.chain_model, "MOST_STEPS", 1)
    with pytest.raises(RuntimeError, match="did not reach 90% of the chains in 1 steps"):
        warm_up(chain_model(seed=0), sign_tokenizer(), accuracy=0.9)
