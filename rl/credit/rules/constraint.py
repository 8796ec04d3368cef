"""Constraint rules: each constraint's share of the advantage goes to the tokens that satisfy or violate it."""

import torch
from jaxtyping import Float
from torch import Tensor

from rl.credit.inputs import CreditInputs, RuleParams
from rl.credit.rules import rule
from rl.credit.rules.rhythm import coupled

# Axes: B completions of a micro-batch, C constraints, T completion tokens. Channel 0 is everything that is not a
# constraint; channel 1 + c is constraint c.


@rule
def constraint(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B channels T"]:
    """Weigh each constraint's evidence in its own channel; channel 0 weighs all tokens alike.

    Where a constraint failed and no token shows it (a word is missing), all tokens weigh alike in its channel, or, with
    `without_evidence="attention"`, as they attend to the passage of the prompt that states it, where they do.
    """
    if inputs.evidence is None:
        raise ValueError("the rule constraint needs the evidence of verdicts, and none was collected")
    tokens, failed, attention = inputs.evidence.tokens, inputs.evidence.failed, inputs.evidence.attention
    channels = torch.ones(tokens.shape, device=tokens.device)
    if params.without_evidence == "attention" and attention is not None:
        real_attention = attention.masked_fill(~inputs.mask[:, None], 0.0)
        total_BC1 = real_attention.sum(dim=2, keepdim=True)
        shares = real_attention * inputs.mask.sum(dim=1)[:, None, None] / total_BC1  # of mean 1, as a whole text's
        channels = torch.where(failed[:, :, None] & (total_BC1 > 0.0), shares, channels)
    has_evidence = (tokens & inputs.mask[:, None]).any(dim=2, keepdim=True)
    channels = torch.where(has_evidence, tokens.float(), channels)
    return torch.cat([torch.ones_like(inputs.mask, dtype=torch.float32)[:, None], channels], dim=1)


@rule
def combined(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B channels T"]:
    """Weigh constraints as `constraint` does, and channel 0 as `coupled` where the probe has readings."""
    channels = constraint(inputs, params)
    if inputs.fai is None:
        return channels
    return torch.cat([coupled(inputs, params)[:, None], channels[:, 1:]], dim=1)
