"""Columns: what credit needs to know of each completion, as tensors that ride in TRL's batch through its shuffle."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from data.problems import from_row
from rl.config.root import Config
from rl.credit.channels import channel_advantages, constraint_scores
from rl.credit.evidence import JudgedCompletion, evidence_masks
from rl.credit.inputs import CreditInputs, Evidence
from rl.credit.reader import ProbeReadings, recording_spans
from rl.scoring.reward_functions import completion_text, verdicts_for

# Axes: B completions, C constraints, P prompt tokens, T completion tokens.

Batch = Mapping[str, Any]


def evidence_columns(
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Mapping[str, Any]],
    completions: Sequence,
    completion_ids: Sequence[Sequence[int]],
    batch: Batch,
) -> dict[str, Tensor]:
    """The evidence of a generation batch, under names of our own; `rows` are its problems."""
    mask = batch["prompt_mask"].bool()
    judged = []
    for row, completion, ids, prompt_ids, real in zip(
        rows, completions, completion_ids, batch["prompt_ids"], mask, strict=True
    ):
        problem, text = from_row(row), completion_text(completion)
        verdicts = verdicts_for(problem, text)
        prompt = tuple(prompt_ids[real].tolist())
        judged.append(
            JudgedCompletion(
                problem=problem, text=text, verdicts=verdicts, prompt_ids=prompt, completion_ids=tuple(ids)
            )
        )
    length = batch["completion_ids"].shape[1]
    masks = evidence_masks(tokenizer, judged, prompt_length=mask.shape[1], completion_length=length)
    device = mask.device
    return {
        "evidence_tokens": masks.tokens.to(device),
        "evidence_passages": masks.passages.to(device),
        "constraint_satisfied": masks.satisfied.to(device),
    }


def channel_column(batch: Batch, totals: Tensor, *, weight: float, config: Config) -> dict[str, Tensor]:
    """The advantages of a generation batch by channel.

    `totals` (B,) are the weighted rewards that TRL compares, `weight` is that of the constraints among them.
    """
    rewards, trainer = config.rewards, config.trainer
    assert trainer.scale_rewards != "batch" and rewards.satisfaction != "graded", "refused by the config"
    advantages = channel_advantages(
        batch["advantages"],
        constraint_scores(batch["constraint_satisfied"], rewards.satisfaction),
        totals,
        weight=weight,
        num_generations=trainer.num_generations,
        scale_rewards=trainer.scale_rewards,
    )
    return {"channel_advantages": advantages}


def channels_of(batch: Batch) -> Tensor:
    """(B, channels): by constraint where the batch knows them, else the one advantage a completion has."""
    return batch["channel_advantages"] if "channel_advantages" in batch else batch["advantages"][:, None]


def block_spans(batch: Batch) -> Tensor | None:
    """(B, N, P + T): what to listen to besides the rhythm, None where no constraint is known."""
    if "evidence_passages" not in batch:
        return None
    return recording_spans(batch["evidence_passages"], batch["prompt_mask"], batch["completion_ids"].shape[1])


def trained_tokens(batch: Batch) -> Tensor:
    """(B, T): tokens that the loss counts."""
    mask = batch["completion_mask"].bool()
    return mask & batch["tool_mask"].bool() if "tool_mask" in batch else mask


def batch_inputs(batch: Batch, entropy: Tensor, probe_readings: ProbeReadings | None) -> CreditInputs:
    """What a rule may look at in a micro-batch."""
    evidence = None
    if "evidence_tokens" in batch:
        failed = batch["constraint_satisfied"] == 0.0
        attention = None if probe_readings is None else probe_readings.attention
        evidence = Evidence(tokens=batch["evidence_tokens"], failed=failed, attention=attention)
    fai, waad = (None, None) if probe_readings is None else (probe_readings.fai, probe_readings.waad)
    mask = trained_tokens(batch)
    return CreditInputs(mask=mask, entropy=entropy.detach().float(), fai=fai, waad=waad, evidence=evidence)
