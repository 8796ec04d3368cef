"""Controls: rules of the same mass that know less, to tell what a rule chose from how much it amplified."""

import torch
from jaxtyping import Float
from torch import Tensor

from attention_probes.rhythm import top_share
from rl.common.errors import UserError
from rl.credit.inputs import CreditInputs
from rl.credit.rules import RuleParams, amplify, readings

# Axes: B completions of a micro-batch, T completion tokens.


def random(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """As many tokens amplified as by a real rule, drawn at random."""
    return amplify(top_share(noise(inputs, params), inputs.mask, params.q), params.gamma_amp)


def shuffled(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """The base rule's own weights, dealt out anew among each completion's real tokens."""
    if params.base is None:
        raise UserError("the rule shuffled needs the rule whose weights it deals out; set credit.base")
    weights = params.base(inputs, params)
    # Sorted by noise, and by noise of a second draw: padding is last in both orders, so it keeps to itself.
    order, place = (noise(inputs, params).masked_fill(~inputs.mask, torch.inf).argsort(dim=1) for _ in range(2))
    return torch.zeros_like(weights).scatter(1, place, weights.gather(1, order))


def position(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Knows only where a token stands: the earliest are amplified."""
    earliness = -torch.arange(inputs.mask.shape[1], device=inputs.mask.device, dtype=torch.float32)
    return amplify(top_share(earliness.expand(inputs.mask.shape), inputs.mask, params.q), params.gamma_amp)


def entropy(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Without attention: the tokens the policy was least sure of are amplified (after arXiv 2506.01939)."""
    return amplify(top_share(inputs.entropy, inputs.mask, params.q), params.gamma_amp)


def bottom(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """The opposite of `global_anchor`: the paper's own ablation, which fell below no shaping at all."""
    fai, _ = readings(inputs, "bottom")
    return amplify(top_share(-fai, inputs.mask, params.q), params.gamma_amp)


def noise(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Random numbers in [0, 1) from the params's own generator."""
    return torch.rand(inputs.mask.shape, generator=params.generator).to(inputs.mask.device)
