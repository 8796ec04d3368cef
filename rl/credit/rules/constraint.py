"""Constraint rules: each constraint's share of the advantage goes to the tokens that satisfy or violate it."""

import torch
from jaxtyping import Float
from torch import Tensor

from rl.credit.inputs import CreditInputs, RuleParams
from rl.credit.rules import rule
from rl.credit.rules.rhythm import coupled
from rl.credit.token_weights import normalize_weights

# Axes: B completions of a micro-batch, C constraints, T completion tokens. Channel 0 is everything that is not a
# constraint; channel 1 + c is constraint c.


@rule
def constraint(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B channels T"]:
    """Weigh each constraint's evidence in its own channel, by `evidence_weight`; channel 0 weighs all tokens alike.

    No channel weighs more than a whole text: k of T tokens weigh at most T/k each. Where a constraint failed and no
    token shows it (a word is missing), all tokens weigh alike in its channel, or, with `without_evidence="attention"`,
    as they attend to the passage of the prompt that states it, where they do.
    """
    if inputs.evidence is None:
        raise ValueError("the rule constraint needs the evidence of verdicts, and none was collected")
    tokens, failed, attention = inputs.evidence.tokens, inputs.evidence.failed, inputs.evidence.attention
    length_B11 = inputs.mask.sum(dim=1)[:, None, None]
    channels = torch.ones(tokens.shape, device=tokens.device)
    if params.without_evidence == "attention" and attention is not None:
        real_attention = attention.masked_fill(~inputs.mask[:, None], 0.0)
        total_BC1 = real_attention.sum(dim=2, keepdim=True)
        shares = real_attention * length_B11 / total_BC1  # of mean 1, as a whole text's
        channels = torch.where(failed[:, :, None] & (total_BC1 > 0.0), shares, channels)
    evidence = tokens & inputs.mask[:, None]
    count_BC1 = evidence.sum(dim=2, keepdim=True)
    weight_BC1 = (length_B11 / count_BC1).clamp(max=params.evidence_weight)
    channels = torch.where(count_BC1 > 0, weight_BC1 * evidence, channels)
    return torch.cat([torch.ones_like(inputs.mask, dtype=torch.float32)[:, None], channels], dim=1)


@rule
def combined(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B channels T"]:
    """Weigh constraints as `constraint` does, and channel 0 as `coupled`, with mean 1, where the probe has readings."""
    channels = constraint(inputs, params)
    if inputs.fai is None:
        return channels
    rest = normalize_weights(coupled(inputs, params), inputs.mask, floor=0.0, preserve_mass=True)
    return torch.cat([rest, channels[:, 1:]], dim=1)
