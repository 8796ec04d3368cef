"""Helpers: sequences with one planted token, whose effect on the answers is known, and a model trained on them."""

from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

KEYS, FILLERS, BAITS = range(2, 12), range(12, 32), range(32, 42)
BEGIN, QUESTION, VOCABULARY = 1, 42, 43
BODY, NUM_ANSWERS = 24, 4
"""Tokens before the first question, and number of questions, each followed by its answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlantedSequences:
    """Sequences of one length, prompt first, each with one planted token in its completion."""

    ids: Tensor
    """(B, S)"""
    positions: list[int]
    """Index of the planted token in each completion."""
    num_prompt_tokens: int

    @property
    def num_completion_tokens(self) -> int:
        return self.ids.shape[1] - self.num_prompt_tokens


def with_cause(count: int, *, seed: int) -> PlantedSequences:
    """Return fillers with one key among them, which is the answer to every question."""
    rng = Random(f"cause-{seed}")
    rows, positions = [], []
    for _ in range(count):
        body, key, position = rng.choices(FILLERS, k=BODY), rng.choice(KEYS), rng.randrange(4, BODY - 6)
        body[position] = key
        rows.append([BEGIN, *body, *[QUESTION, key] * NUM_ANSWERS])
        positions.append(position)
    return PlantedSequences(ids=torch.tensor(rows), positions=positions, num_prompt_tokens=1)


def with_bait(count: int, *, seed: int) -> PlantedSequences:
    """Return fillers with one bait that later tokens repeat: it gets attention, but the answer is in the prompt."""
    rng = Random(f"bait-{seed}")
    rows, positions = [], []
    for _ in range(count):
        body, key, bait = rng.choices(FILLERS, k=BODY), rng.choice(KEYS), rng.choice(BAITS)
        position = rng.randrange(4, 10)
        body[position] = bait
        body[position + 1 :] = [bait if rng.random() < 0.3 else token for token in body[position + 1 :]]
        rows.append([BEGIN, key, *body, *[QUESTION, key] * NUM_ANSWERS])
        positions.append(position)
    return PlantedSequences(ids=torch.tensor(rows), positions=positions, num_prompt_tokens=2)


@torch.enable_grad()
def trained_on(task, *, steps: int) -> LlamaForCausalLM:
    """Return a two-layer model that was trained on the task."""
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
