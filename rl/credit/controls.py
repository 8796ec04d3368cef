"""Controls: rules of the same mass that know less, to tell what a rule chose from how much it amplified."""

import torch
from jaxtyping import Float
from torch import Tensor

from attention_probes.rhythm import top_share
from rl.credit.rules import Amplifier, amplify, readings
from rl.credit.view import View

# Axes: B completions of a micro-batch, T completion tokens.


def random(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """As many tokens amplified as by a real rule, drawn at random."""
    return amplify(top_share(noise(view, amplifier), view.mask, amplifier.q), amplifier.gamma_amp)


def shuffled(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """The base rule's own weights, dealt out anew among each completion's real tokens."""
    if amplifier.base is None:
        raise ValueError("the rule shuffled needs the rule whose weights it deals out; set credit.base")
    weights = amplifier.base(view, amplifier)
    # Sorted by noise, and by noise of a second draw: padding is last in both orders, so it keeps to itself.
    order, place = (noise(view, amplifier).masked_fill(~view.mask, torch.inf).argsort(dim=1) for _ in range(2))
    return torch.zeros_like(weights).scatter(1, place, weights.gather(1, order))


def position(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """Knows only where a token stands: the earliest are amplified."""
    earliness = -torch.arange(view.mask.shape[1], device=view.mask.device, dtype=torch.float32)
    return amplify(top_share(earliness.expand(view.mask.shape), view.mask, amplifier.q), amplifier.gamma_amp)


def entropy(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """Without attention: the tokens the policy was least sure of are amplified (after arXiv 2506.01939)."""
    return amplify(top_share(view.entropy, view.mask, amplifier.q), amplifier.gamma_amp)


def bottom(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """The opposite of `global_anchor`: the paper's own ablation, which fell below no shaping at all."""
    fai, _ = readings(view, "bottom")
    return amplify(top_share(-fai, view.mask, amplifier.q), amplifier.gamma_amp)


def noise(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """Random numbers in [0, 1) from the amplifier's own generator."""
    return torch.rand(view.mask.shape, generator=amplifier.generator).to(view.mask.device)
