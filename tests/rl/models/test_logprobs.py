"""Fluency: the base model's own log-probability, whatever the adapter says, alone or in a batch."""

import math

import pytest
import torch
from peft import get_peft_model

from data.problems import Problem
from rl.config.model import AdapterConfig
from rl.models.load import load_model, load_tokenizer
from rl.models.logprobs import base_log_probs
from rl.models.tokenization import encode_prompt

PROBLEM = Problem(problem_id="p", messages=({"role": "user", "content": "Describe rain."},))
TEXTS = ["Rain falls.", "Rain falls on the hills and on the sea, all day long."]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("tiny")


@pytest.fixture(scope="module")
def policy():
    from rl.models.lora import lora_config

    policy = get_peft_model(load_model("tiny"), lora_config(AdapterConfig(r=4)))
    with torch.no_grad():  # an adapter that changes what the model says
        for name, weight in policy.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.5)
    return policy


def plainly(policy, tokenizer, text):
    """The mean over the completion's tokens, one token after the other, from the base model alone."""
    prompt = list(encode_prompt(tokenizer, [dict(message) for message in PROBLEM.messages]))
    ids = prompt + tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad(), policy.disable_adapter():
        log_probs = policy(torch.tensor([ids])).logits[0].log_softmax(-1)
    picked = [log_probs[at - 1, ids[at]].item() for at in range(len(prompt), len(ids))]
    return sum(picked) / len(picked)


def test_it_is_the_mean_log_probability_of_the_base_model(policy, tokenizer):
    found = base_log_probs(policy, tokenizer, [PROBLEM] * 2, TEXTS)
    assert found == pytest.approx([plainly(policy, tokenizer, text) for text in TEXTS], abs=1e-5)


def test_the_adapter_is_on_again_and_the_mode_as_before(policy, tokenizer):
    ids = torch.tensor([[1, 2, 3]])
    policy.train()
    with torch.no_grad():
        before = policy(ids).logits
        base_log_probs(policy, tokenizer, [PROBLEM], TEXTS[:1])
        assert policy.training and torch.equal(policy(ids).logits, before)


def test_an_empty_completion_is_hopeless(policy, tokenizer):
    assert base_log_probs(policy, tokenizer, [PROBLEM], [""]) == [-math.inf]
