"""Columns: what credit needs of each completion, as tensors that stay with its row in TRL's shuffled batch."""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rewards.guards import apply_guards
from rewards.satisfaction import graded_score
from rl.config.credit import Region
from rl.config.rewards import RewardsConfig
from rl.credit.channels import Scaling, channel_advantages, constraint_scores, guarded_scores
from rl.credit.evidence import TokenizedCompletion, evidence_masks
from rl.credit.inputs import CreditInputs, Evidence
from rl.credit.reader import ProbeReadings, recording_spans, token_readings
from rl.models.answers import answer_tokens
from rl.scoring.scorer import ScoredCompletion

# Axes: B completions, C constraints, P prompt tokens, T completion tokens.

Batch = Mapping[str, Any]
ANSWER = "answer_tokens"
"""Column of the tokens that are an answer's."""


def evidence_columns(
    tokenizer: PreTrainedTokenizerBase,
    scored: Sequence[ScoredCompletion],
    completion_ids: Sequence[Sequence[int]],
    batch: Batch,
) -> dict[str, Tensor]:
    """Return the evidence of a generation batch, as columns to be added to it."""
    mask = batch["prompt_mask"].bool()
    prompts = zip(batch["prompt_ids"].tolist(), mask.tolist(), strict=True)
    completions = [
        TokenizedCompletion(scored=one, prompt_ids=tuple(compress(prompt_ids, real)), completion_ids=tuple(ids))
        for one, ids, (prompt_ids, real) in zip(scored, completion_ids, prompts, strict=True)
    ]
    length = batch["completion_ids"].shape[1]
    masks = evidence_masks(tokenizer, completions, prompt_length=mask.shape[1], completion_length=length)
    device = mask.device
    return {
        "evidence_tokens": masks.tokens.to(device),
        "evidence_passages": masks.passages.to(device),
        "constraint_satisfied": masks.satisfied.to(device),
    }


def channel_column(
    batch: Batch,
    scored: Sequence[ScoredCompletion],
    totals: Tensor,
    scaling: Scaling,
    *,
    weight: float,
    rewards: RewardsConfig,
    num_generations: int,
) -> dict[str, Tensor]:
    """Return the advantages of a generation batch by channel.

    `totals` (B,) are the weighted rewards that TRL compares, `weight` is that of the constraints among them.
    """
    verdict_scores = batch["constraint_satisfied"].clone()
    if rewards.satisfaction == "graded":
        verdict_scores = verdict_scores.cpu()  # one copy each way, rather than one for every score
        for row, completion in enumerate(scored):
            for constraint, verdict in enumerate(completion.verdicts):
                if verdict.satisfied is not None:
                    verdict_scores[row, constraint] = graded_score(verdict)
    guards = torch.tensor([apply_guards(1.0, list(one.guard_values.values())) for one in scored])
    scores = constraint_scores(verdict_scores.to(batch["advantages"].device), rewards.satisfaction)
    advantages = channel_advantages(
        batch["advantages"],
        guarded_scores(scores, guards.to(scores.device), num_generations=num_generations),
        totals,
        scaling,
        weight=weight,
        num_generations=num_generations,
    )
    return {"channel_advantages": advantages}


def advantage_channels(batch: Batch) -> Tensor:
    """Return (B, channels): the advantages by constraint where the batch has them, else each completion's one."""
    return batch["channel_advantages"] if "channel_advantages" in batch else batch["advantages"][:, None]


def batch_spans(batch: Batch) -> Tensor | None:
    """Return the passages (B, N, P + T) to record attention to; None where no constraint is known."""
    if "evidence_passages" not in batch:
        return None
    return recording_spans(batch["evidence_passages"], batch["prompt_mask"], batch["completion_ids"].shape[1])


def answer_column(tokenizer: PreTrainedTokenizerBase, batch: Batch) -> dict[str, Tensor]:
    """Return which tokens (B, T) of a generation batch are its answers', behind their thoughts, as a column."""
    prompts, completions = (_real_ids(batch[f"{name}_ids"], batch[f"{name}_mask"]) for name in ("prompt", "completion"))
    masks = [answer_tokens(tokenizer, *pair) for pair in zip(prompts, completions, strict=True)]
    length, device = batch["completion_ids"].shape[1], batch["completion_ids"].device
    padded = [[*mask, *[False] * (length - len(mask))] for mask in masks]
    return {ANSWER: torch.tensor(padded, dtype=torch.bool, device=device)}


def _real_ids(ids: Tensor, mask: Tensor) -> list[list[int]]:
    return [list(compress(row, real)) for row, real in zip(ids.tolist(), mask.tolist(), strict=True)]


def credited_tokens(mask: Tensor, batch: Batch, region: Region) -> Tensor:
    """Return which of the masked tokens get credit: all, those of the answer, or those of the thought before it."""
    if region == "all":
        return mask
    return mask & (batch[ANSWER] if region == "answer" else ~batch[ANSWER])


def trained_tokens(batch: Batch) -> Tensor:
    """Return the mask (B, T) of the tokens that the loss counts."""
    mask = batch["completion_mask"].bool()
    return mask & batch["tool_mask"].bool() if "tool_mask" in batch else mask


def batch_inputs(
    batch: Batch, entropy: Tensor, probe_readings: ProbeReadings | None, region: Region = "all"
) -> CreditInputs:
    """Return what a rule gets of a micro-batch, whose mask are the tokens of the region that gets credit."""
    evidence = None
    if "evidence_tokens" in batch:
        failed = batch["constraint_satisfied"] == 0.0
        attention = None if probe_readings is None else probe_readings.attention
        evidence = Evidence(tokens=batch["evidence_tokens"], failed=failed, attention=attention)
    mask = credited_tokens(trained_tokens(batch), batch, region)
    return CreditInputs(
        mask=mask, entropy=entropy.detach().float(), evidence=evidence, **token_readings(probe_readings)
    )
