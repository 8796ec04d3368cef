"""Constraint credit: each constraint's share of the advantage goes to the tokens that kept or broke it."""

import torch
from jaxtyping import Float
from torch import Tensor

from rl.credit.inputs import CreditInputs
from rl.credit.rules import RuleParams, coupled

# Axes: B completions of a micro-batch, C constraints, T completion tokens. Channel 0 is everything that is not a
# constraint; channel 1 + c is constraint c.


def constraint(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B channels T"]:
    """Weigh each constraint's evidence in its own channel; channel 0 weighs all tokens alike.

    Where a constraint failed and no token shows it (a word is missing), its channel follows what each token pays to the
    passage that states it. Where there is neither, the whole completion takes it.
    """
    if inputs.evidence is None:
        raise ValueError("the rule constraint needs the evidence of verdicts, and none was collected")
    tokens, failed, attention = inputs.evidence.tokens, inputs.evidence.failed, inputs.evidence.attention
    channels = torch.ones(tokens.shape, device=tokens.device)
    if attention is not None:
        looked = attention.masked_fill(~inputs.mask[:, None], 0.0)
        follows = failed & (looked.sum(dim=2) > 0.0)
        channels = torch.where(follows[:, :, None], looked, channels)
    shown = (tokens & inputs.mask[:, None]).any(dim=2, keepdim=True)
    channels = torch.where(shown, tokens.float(), channels)
    return torch.cat([torch.ones_like(inputs.mask, dtype=torch.float32)[:, None], channels], dim=1)


def combined(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B channels T"]:
    """As `constraint`, but channel 0 follows the rule `coupled` where the probe listened."""
    channels = constraint(inputs, params)
    if inputs.fai is None:
        return channels
    return torch.cat([coupled(inputs, params)[:, None], channels[:, 1:]], dim=1)
