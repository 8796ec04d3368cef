"""Planted tasks: sequences whose cause is known because it was put there, and a model that is trained on them."""

from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

KEYS, FILLERS, BAITS = range(2, 12), range(12, 32), range(32, 42)
BEGIN, QUESTION, VOCABULARY = 1, 42, 43
BODY, NUM_ANSWERS = 24, 4
"""Tokens before the question, and after each question one answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Planted:
    """Sequences of one length, prompt first."""

    ids: Tensor
    """(B, S)"""
    place: list[int]
    """Of the planted token, in the completion."""
    num_prompt_tokens: int

    @property
    def num_completion_tokens(self) -> int:
        return self.ids.shape[1] - self.num_prompt_tokens


def with_cause(count: int, *, seed: int) -> Planted:
    """Fillers with one key among them: the answer to every question is the key."""
    rng = Random(f"cause-{seed}")
    rows, places = [], []
    for _ in range(count):
        body, key, place = rng.choices(FILLERS, k=BODY), rng.choice(KEYS), rng.randrange(4, BODY - 6)
        body[place] = key
        rows.append([BEGIN, *body, *[QUESTION, key] * NUM_ANSWERS])
        places.append(place)
    return Planted(ids=torch.tensor(rows), place=places, num_prompt_tokens=1)


def with_bait(count: int, *, seed: int) -> Planted:
    """Fillers with one bait among them, which later fillers echo: it is looked at, but the answer is in the prompt."""
    rng = Random(f"bait-{seed}")
    rows, places = [], []
    for _ in range(count):
        body, key, bait = rng.choices(FILLERS, k=BODY), rng.choice(KEYS), rng.choice(BAITS)
        place = rng.randrange(4, 10)
        body[place] = bait
        body[place + 1 :] = [bait if rng.random() < 0.3 else token for token in body[place + 1 :]]
        rows.append([BEGIN, key, *body, *[QUESTION, key] * NUM_ANSWERS])
        places.append(place)
    return Planted(ids=torch.tensor(rows), place=places, num_prompt_tokens=2)


@torch.enable_grad()
def trained_on(task, *, steps: int) -> LlamaForCausalLM:
    """A two-layer model trained on the task; nothing about it is planted in the weights."""
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=64, pad_token_id=0, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(steps):
        ids = task(64, seed=step).ids
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()
