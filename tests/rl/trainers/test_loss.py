"""Loss: what TRL computes from token advantages equals its formulas written out token by token."""

import math
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

from rl.credit.assigner import AssignedCredit
from tests.reference import grpo_loss, token_loss
from tests.rl.grpo_fixtures import credit_trainer, tiny_config

MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]])
PROMPT_MASK = torch.tensor([[1, 1, 1], [0, 1, 1], [1, 1, 1], [0, 0, 1]])
SETTINGS = {"low": 0.1, "high": 0.3, "beta": 0.04}
WINDOW_TOKENS, ACCUMULATION, MAX_LENGTH = 18, 2, 12


class GivenWeights:
    """An assigner that hands out weights chosen beforehand."""

    def __init__(self, weights: Tensor):
        self.given = weights

    def recording(self, model: Any, *, step: int, spans: Any):
        return nullcontext()

    def needs_probe_at(self, step: int) -> bool:
        return False

    def assign(self, view: Any, advantages: Tensor, ids: Tensor, *, step: int, micro_step: int) -> AssignedCredit:
        given = self.given
        return AssignedCredit(advantages=advantages * given, shares=given, rule_weights=given, metrics={})


def make_batch(generator: torch.Generator, policy: Tensor) -> dict[str, Tensor]:
    """A buffered micro-batch whose old and reference policy differ from this one, some ratios beyond the clip range.

    No row is stale, so that only the clipping weighs ratios.
    """
    noise = torch.randn(2, *MASK.shape, generator=generator)
    return {
        "prompt_mask": PROMPT_MASK,
        "completion_mask": MASK,
        "advantages": torch.tensor([1.5, -0.5, -1.0, 0.75]),
        "old_per_token_logps": policy + 0.3 * noise[0],
        "ref_per_token_logps": policy + 0.3 * noise[1],
        "num_items_in_batch": torch.tensor(WINDOW_TOKENS),
        "row": list(range(len(MASK))),
        "staleness": [0] * len(MASK),
        "position": [0, 1, 0, 2],
        "prompt_length": PROMPT_MASK.sum(dim=1).tolist(),
        "completion_length": MASK.sum(dim=1).tolist(),
        "sampling_per_token_logps": policy + 0.3 * noise[0],
    }


@torch.no_grad()
def policy_logprobs(model: Any, prompt_ids: Tensor, completion_ids: Tensor, *, temperature: float) -> Tensor:
    ids = torch.cat([prompt_ids, completion_ids], dim=1)
    logits = model(input_ids=ids, attention_mask=torch.cat([PROMPT_MASK, MASK], dim=1)).logits
    logprobs = torch.log_softmax(logits[:, :-1] / temperature, dim=-1)
    return logprobs.gather(2, ids[:, 1:, None]).squeeze(2)[:, prompt_ids.shape[1] - 1 :]


@pytest.mark.parametrize("shared_prompts", [False, True])
@pytest.mark.parametrize("loss_type", ["dapo", "grpo", "bnpo", "dr_grpo"])
def test_token_advantages__enter_the_loss_as_written(loss_type, shared_prompts, tmp_path):
    clipping = {"epsilon": 0.1, "epsilon_high": 0.3, "beta": 0.04}
    config = tiny_config(
        trainer={"loss_type": loss_type, "temperature": 0.9, "shared_prompts": shared_prompts, **clipping}
    )
    trainer = credit_trainer(config, tmp_path)
    trainer.recorder = None
    trainer.current_gradient_accumulation_steps = ACCUMULATION
    generator = torch.Generator().manual_seed(0)
    prompt_ids, completion_ids = (
        torch.randint(3, 512, mask.shape, generator=generator) for mask in (PROMPT_MASK, MASK)
    )
    prompt_ids[2] = prompt_ids[0]
    model = trainer.model.train()
    policy = policy_logprobs(model, prompt_ids, completion_ids, temperature=0.9)
    batch = {**make_batch(generator, policy), "prompt_ids": prompt_ids, "completion_ids": completion_ids}
    weights = torch.rand(MASK.shape, generator=generator) * 2.0 * MASK
    trainer.credit = GivenWeights(weights)
    loss = trainer._compute_loss(model, batch).item()

    advantages = batch["advantages"][:, None] * weights
    columns = (policy, batch["old_per_token_logps"], batch["ref_per_token_logps"], advantages)
    token_losses = [
        [token_loss(*values, **SETTINGS) for values in zip(*rows, strict=True)]
        for rows in zip(*(column.tolist() for column in columns), strict=True)
    ]
    expected = grpo_loss(
        token_losses,
        MASK.tolist(),
        loss_type=loss_type,
        max_length=MAX_LENGTH,
        window_tokens=WINDOW_TOKENS,
        accumulation=ACCUMULATION,
    )
    assert loss == pytest.approx(expected, abs=1e-6)
    assert batch["advantages"].shape == (4,), "the buffered batch is as it was"


def test_reference_loss__clips_as_worked_out_by_hand():
    # ratio e^0.5 = 1.6487 is clipped to 1.3 for a positive advantage, and kept for a negative one, the worse of the two
    clipping = {"low": 0.1, "high": 0.3, "beta": 0.0}
    assert token_loss(-1.0, -1.5, 0.0, 2.0, **clipping) == pytest.approx(-2.6)
    assert token_loss(-1.0, -1.5, 0.0, -2.0, **clipping) == pytest.approx(2 * math.exp(0.5))
    # ratio e^-0.5 = 0.6065: kept for a positive advantage, clipped to 0.9 for a negative one
    assert token_loss(-1.5, -1.0, 0.0, 2.0, **clipping) == pytest.approx(-2 * math.exp(-0.5))
    assert token_loss(-1.5, -1.0, 0.0, -2.0, **clipping) == pytest.approx(1.8)
    # on policy with reference one nat above: k3 = e - 1 - 1
    assert token_loss(-1.0, -1.0, 0.0, 0.0, low=0.1, high=0.3, beta=0.5) == pytest.approx(0.5 * (math.e - 2))
