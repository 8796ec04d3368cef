"""Constraint attention: how much attention the response pays to each constraint of its prompt (arXiv 2505.11423)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

# Axes: L layers read, B rows of the batch, P roles (all heads; then local and global, if the plan has roles), S tokens,
# C constraints, N = C + 2 spans to record. Masks are in the coordinates of the input ids.


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstraintAttention:
    """What each token pays to each constraint, in four units; NaN where the unit is undefined."""

    mass: Float[Tensor, "L B P S C"]
    """Sum over the constraint's tokens."""
    per_token: Float[Tensor, "L B P S C"]
    """Mean over the constraint's tokens, the paper's alpha. A longer context alone makes it smaller."""
    prompt_share: Float[Tensor, "L B P S C"]
    """Part of the mass on the prompt that goes to the constraint."""
    relative: Float[Tensor, "L B P S C"]
    """`per_token` over the mean on the prompt's other tokens at the same query: 1 is no more and no less than they get,
    however long the context has grown."""


def prompt_spans(constraints: Bool[Tensor, "B C S"], prompt: Bool[Tensor, "B S"]) -> Bool[Tensor, "B N S"]:
    """Return the spans to record: each constraint, the whole prompt, and the prompt's other tokens.

    The row's first token is not among the others: as attention's usual sink it would outweigh them all.
    """
    first = torch.arange(prompt.shape[1], device=prompt.device) == prompt.float().argmax(dim=1, keepdim=True)
    others = prompt & ~constraints.any(dim=1) & ~first
    return torch.cat([constraints, prompt[:, None], others[:, None]], dim=1)


def constraint_attention(span_mass: Float[Tensor, "L B P S N"], spans: Bool[Tensor, "B N S"]) -> ConstraintAttention:
    """Convert `Readings.span_mass` of `record_attention(..., spans=prompt_spans(...))` to attention per constraint."""
    per_token = span_mass / spans.sum(dim=2)[None, :, None, None]
    mass, in_prompt = span_mass[..., :-2], span_mass[..., -2:-1]
    return ConstraintAttention(
        mass=mass,
        per_token=per_token[..., :-2],
        prompt_share=mass / in_prompt,
        relative=per_token[..., :-2] / per_token[..., -1:],
    )


def mean_over(values: Float[Tensor, "L B P S C"], tokens: Bool[Tensor, "B S"]) -> Float[Tensor, "L B P C"]:
    """Average over the chosen tokens, the paper's beta where `tokens` is the answer; NaN if none is chosen."""
    return values.where(tokens[None, :, None, :, None], torch.nan).nanmean(dim=3)


def attention_drop(direct: Float[Tensor, "L B P C"], thinking: Float[Tensor, "L B P C"]) -> Float[Tensor, "L P"]:
    """Return Delta beta = beta(direct answer) - beta(answer after thinking), mean over prompts and constraints.

    Above 0: after thinking, the answer pays less attention to the constraints. Both are `mean_over` the answer tokens
    of the same prompts: of `per_token` for the paper's unit, of `relative` for one that a longer context alone does
    not change.
    """
    return (direct - thinking).nanmean(dim=(1, 3))


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionSummary:
    """Attention of one completion to each constraint: all heads, mean over the layers read, in units of `relative`."""

    mean: Float[Tensor, "B C"]
    peak: Float[Tensor, "B C"]
    peak_token: Int[Tensor, "B C"]
    """Index of the peak in the input ids."""
    attended: Bool[Tensor, "B C"]
    """The mean reached the threshold."""


def summarize(
    attention: ConstraintAttention, completion: Bool[Tensor, "B S"], *, threshold: float = 1.0
) -> AttentionSummary:
    """Summarize each constraint over the completion; a `threshold` of 1 is what the prompt's other tokens got."""
    relative = attention.relative[:, :, 0].nanmean(dim=0)
    within = relative.where(completion[:, :, None] & ~relative.isnan(), -torch.inf)
    peak, peak_token = within.max(dim=1)
    mean = mean_over(attention.relative[:, :, :1], completion)[:, :, 0].nanmean(dim=0)
    return AttentionSummary(mean=mean, peak=peak, peak_token=peak_token, attended=mean >= threshold)
