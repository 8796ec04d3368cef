"""The chain model: its tokenizer spells every chain, and pretraining stops where it should."""

import pytest
import torch

import launch.bench.chain_model
from data.problems import user_text
from data.toy_tasks.arithmetic import chain_problem, solution
from launch.bench.chain_model import accumulate_gradients, chain_model, character_tokenizer, pretrain
from rl.models.tokenization import encode_prompt


def test_character_tokenizer__makes_every_character_a_token():
    tokenizer = character_tokenizer()
    text = "7^5v3=" + solution("7^5v3=")
    ids = tokenizer.encode(text)
    assert len(ids) == len(text) and tokenizer.pad_token_id not in ids
    assert tokenizer.decode(ids) == text


def test_character_tokenizer__template_adds_nothing():
    problem = chain_problem(0, 0)
    tokenizer = character_tokenizer()
    ids = encode_prompt(tokenizer, [dict(message) for message in problem.messages])
    assert list(ids) == tokenizer.encode(user_text(problem))


def test_chain_model__has_one_to_three_million_parameters():
    assert 1e6 <= chain_model(seed=0).num_parameters() <= 3e6


def test_pretrain__leaves_a_model_that_is_good_enough():
    model = chain_model(seed=0)
    before = model.lm_head.weight.clone()
    pretrain(model, character_tokenizer(), accuracy=0.0)
    assert before.equal(model.lm_head.weight)


def test_pretrain__fails_after_max_steps(monkeypatch):
    monkeypatch.setattr(launch.bench.chain_model, "MAX_STEPS", 1)
    with pytest.raises(RuntimeError, match="did not reach 90% of the chains in 1 steps"):
        pretrain(chain_model(seed=0), character_tokenizer(), accuracy=0.9)


def test_accumulate_gradients__are_those_of_the_mean_loss_over_the_padded_batch():
    lengths, generator = torch.tensor([5, 12, 3, 9, 7] * 7), torch.Generator().manual_seed(0)
    real = torch.arange(12) < lengths[:, None]
    ids = torch.randint(2, 20, real.shape, generator=generator) * real
    labels = ids.masked_fill(~real | (torch.arange(12) < 2), -100)
    whole, parts = (chain_model(seed=0, vocabulary=20) for _ in range(2))
    whole(input_ids=ids, attention_mask=real.long(), labels=labels).loss.backward()
    accumulate_gradients(parts, ids, labels)
    for expected, found in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, atol=1e-6, rtol=1e-4)
