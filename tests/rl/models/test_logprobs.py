"""Log-probs of given token ids, alone or in a batch, with and without the adapter."""

import math

import pytest
import torch
from peft import get_peft_model

from data.problems import Problem
from rl.config.model import AdapterConfig
from rl.models.load import load_model, load_tokenizer
from rl.models.logprobs import base_logprobs, selected_logprobs, token_logprobs
from rl.models.tokenization import encode_prompt

PROBLEM = Problem(problem_id="p", messages=({"role": "user", "content": "Describe rain."},))
TEXTS = ["Rain falls.", "Rain falls on the hills and on the sea, all day long."]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("tiny")


@pytest.fixture(scope="module")
def policy():
    from rl.models.lora import lora_config

    policy = get_peft_model(load_model("tiny"), lora_config(AdapterConfig(r=4, dropout=0.5)))
    with torch.no_grad():  # an adapter that changes what the model says
        for name, weight in policy.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.5)
    return policy


def ids_of(tokenizer, text: str) -> tuple[list[int], list[int]]:
    """Prompt and completion."""
    prompt = list(encode_prompt(tokenizer, [dict(message) for message in PROBLEM.messages]))
    return prompt, tokenizer(text, add_special_tokens=False)["input_ids"]


def expected_logprobs(model, ids: list[int]) -> list[float]:
    """Of the tokens after the first, one after the other."""
    with torch.no_grad():
        logprobs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return [logprobs[index - 1, ids[index]].item() for index in range(1, len(ids))]


def test_token_logprobs__rows_of_a_batch_are_those_of_each_sequence_alone(policy):
    policy.eval()
    sequences = [[1, 40, 41, 42, 43], [1, 50, 51]]
    first, second = token_logprobs(policy, sequences)
    assert first.tolist() == pytest.approx(expected_logprobs(policy, sequences[0]), abs=1e-5)
    assert second[:2].tolist() == pytest.approx(expected_logprobs(policy, sequences[1]), abs=1e-5)


def test_token_logprobs__dropout_is_off_and_the_mode_as_before(policy):
    policy.train()
    first, second = (token_logprobs(policy, [[1, 40, 41, 42]]) for _ in range(2))
    assert torch.equal(first, second) and not first.requires_grad
    assert policy.training


@pytest.mark.parametrize(("chunk_bytes", "chunks"), [(1, 6), (4 * 5 * 4, 2), (2**28, 1)])
def test_selected_logprobs__of_any_chunks_are_those_of_all_at_once(chunk_bytes, chunks, monkeypatch):
    # rows of five float32 logits are 20 bytes: one at least, four in 80 bytes, all six in 256 MiB
    monkeypatch.setattr("rl.models.logprobs.CHUNK_BYTES", chunk_bytes)
    softmax, widths = torch.log_softmax, []
    monkeypatch.setattr(torch, "log_softmax", lambda logits, dim: widths.append(len(logits)) or softmax(logits, dim))
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    tokens = torch.tensor([0, 4, 2, 2, 1, 3])
    expected = softmax(logits.float(), -1).gather(1, tokens[:, None])[:, 0]
    assert torch.equal(selected_logprobs(logits, tokens), expected)
    assert len(widths) == chunks and sum(widths) == 6


def test_token_logprobs__are_bit_for_bit_the_log_softmax_of_all_logits(policy):
    ids = torch.tensor([[1, 40, 41, 42, 43], [1, 50, 51, 9, 8]])
    with torch.no_grad():
        logits = policy.eval()(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
    expected = torch.log_softmax(logits[:, :-1].float(), dim=-1).gather(2, ids[:, 1:, None]).squeeze(2)
    assert torch.equal(token_logprobs(policy, ids.tolist()), expected)


def test_base_logprobs__are_the_mean_over_the_completion_of_the_base_model(policy, tokenizer):
    expected = []
    for text in TEXTS:
        prompt, completion = ids_of(tokenizer, text)
        with policy.disable_adapter():
            logprobs = expected_logprobs(policy.eval(), prompt + completion)[len(prompt) - 1 :]
        expected.append(sum(logprobs) / len(completion))
    assert base_logprobs(policy, tokenizer, [PROBLEM] * 2, TEXTS) == pytest.approx(expected, abs=1e-5)


def test_base_logprobs__the_adapter_is_on_again_and_the_mode_as_before(policy, tokenizer):
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        before = policy.eval()(ids).logits
        policy.train()
        base_logprobs(policy, tokenizer, [PROBLEM], TEXTS[:1])
        assert policy.training
        assert torch.equal(policy.eval()(ids).logits, before)


def test_base_logprobs__an_empty_completion_has_minus_infinity(policy, tokenizer):
    assert base_logprobs(policy, tokenizer, [PROBLEM], [""]) == [-math.inf]
