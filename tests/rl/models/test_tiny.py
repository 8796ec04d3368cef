"""The model `tiny` and its tokenizer are the same in every process."""

import subprocess
import sys

import torch
from hypothesis import given
from hypothesis import strategies as st

from rl.models.tiny import tiny_model, tiny_tokenizer

TOKENIZER = tiny_tokenizer()


def weight_sum(seed: int) -> float:
    return float(sum(weight.double().sum() for weight in tiny_model(seed=seed).state_dict().values()))


def test_tiny_tokenizer__its_vocabulary_fills_the_embedding():
    assert len(TOKENIZER) == tiny_model().config.vocab_size == 512


def test_tiny_tokenizer__its_pad_token_is_not_its_end_token():
    config = tiny_model().config
    assert (TOKENIZER.pad_token_id, TOKENIZER.bos_token_id, TOKENIZER.eos_token_id) == (0, 1, 2)
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 1, 2)


@given(st.text())
def test_tiny_tokenizer__any_text_survives_it(text):
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


def test_tiny_tokenizer__its_template_is_chatml():
    messages = [{"role": "user", "content": "Hello"}]
    text = TOKENIZER.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert text == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    ids = TOKENIZER.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert TOKENIZER.decode(ids) == text
    assert ids.count(TOKENIZER.eos_token_id) == 1


def test_tiny_model__the_seed_alone_decides_the_weights():
    before = torch.get_rng_state()
    torch.manual_seed(123)
    first = weight_sum(0)
    torch.manual_seed(456)
    state = torch.get_rng_state()
    assert weight_sum(0) == first
    assert weight_sum(1) != first
    assert torch.equal(torch.get_rng_state(), state)
    torch.set_rng_state(before)


def test_tiny_model__another_process_builds_the_same():
    program = (
        "from rl.models.tiny import tiny_model, tiny_tokenizer\n"
        "print(float(sum(w.double().sum() for w in tiny_model().state_dict().values())))\n"
        "print(tiny_tokenizer()('Write two sentences.')['input_ids'])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.splitlines() == [str(weight_sum(0)), str(TOKENIZER("Write two sentences.")["input_ids"])]
