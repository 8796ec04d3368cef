"""Controls: rules that amplify as much as another and know less, and `uniform`, which amplifies nothing."""

import torch
from jaxtyping import Float
from torch import Tensor

from attention_probes.rhythm import top_share
from rl.credit.inputs import CreditInputs, RuleParams
from rl.credit.rules import rule
from rl.credit.rules.parts import amplify, base_rule, readings

# Axes: B completions of a micro-batch, T completion tokens.


@rule
def uniform(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Weigh every token 1: plain GRPO."""
    return torch.ones_like(inputs.mask, dtype=torch.float32)


@rule
def random(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Amplify as many tokens as `global_anchor` would, drawn at random."""
    return amplify(top_share(random_numbers(inputs, params), inputs.mask, params.q), params.gamma_amp)


@rule
def shuffled(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Shuffle the base rule's weights among each completion's real tokens."""
    weights = base_rule(params, "shuffled")(inputs, params)
    # Two random orders of the tokens: the weights in the first go to the places of the second. Padding is last in both.
    source, target = (
        random_numbers(inputs, params).masked_fill(~inputs.mask, torch.inf).argsort(dim=1) for _ in range(2)
    )
    return torch.zeros_like(weights).scatter(1, target, weights.gather(1, source))


@rule
def position(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Amplify the first tokens."""
    earliness = -torch.arange(inputs.mask.shape[1], device=inputs.mask.device, dtype=torch.float32)
    return amplify(top_share(earliness.expand(inputs.mask.shape), inputs.mask, params.q), params.gamma_amp)


@rule
def entropy(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Amplify the tokens that the policy was least sure of, without attention (after arXiv 2506.01939)."""
    return amplify(top_share(inputs.entropy, inputs.mask, params.q), params.gamma_amp)


@rule
def bottom(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Amplify the opposite of `global_anchor`: the paper's own ablation, which fell below no shaping at all."""
    fai, _ = readings(inputs, "bottom")
    return amplify(top_share(-fai, inputs.mask, params.q), params.gamma_amp)


@rule
def all_heads(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Follow the base rule; the assigner reads FAI and WAAD from all heads for it."""
    return base_rule(params, "all_heads")(inputs, params)


def random_numbers(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Draw numbers in [0, 1) from the generator of `params`."""
    return torch.rand(inputs.mask.shape, generator=params.generator).to(inputs.mask.device, non_blocking=True)
