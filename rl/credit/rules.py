"""Credit rules: small pure functions from what was read of a completion to weights for its tokens."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from attention_probes.rhythm import top_share
from jaxtyping import Bool, Float
from torch import Tensor

# Axes: B completions of a micro-batch, T completion tokens.


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What a rule may look at: the real tokens, and what the probe read of them (None if it did not listen)."""

    mask: Bool[Tensor, "B T"]
    entropy: Float[Tensor, "B T"]
    fai: Float[Tensor, "B T"] | None = None
    waad: Float[Tensor, "B T"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Amplifier:
    """Which share of the tokens is amplified, by how much, and the random numbers of the control."""

    q: float
    gamma_amp: float
    generator: torch.Generator


Rule = Callable[[View, Amplifier], Tensor]


def uniform(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """Every token weighs 1: plain GRPO."""
    return torch.ones_like(view.mask, dtype=torch.float32)


def random(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """The control: as many tokens amplified as by a real rule, drawn at random."""
    scores = torch.rand(view.mask.shape, generator=amplifier.generator).to(view.mask.device)
    return amplify(top_share(scores, view.mask, amplifier.q), amplifier.gamma_amp)


def global_anchor(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """Amplify the tokens that later tokens look back to most (arXiv 2510.13554, section 4, global-anchor credit)."""
    if view.fai is None:
        raise ValueError("the rule global_anchor needs probe readings, and the probe did not listen")
    return amplify(top_share(view.fai, view.mask, amplifier.q), amplifier.gamma_amp)


def amplify(chosen: Bool[Tensor, "B T"], gamma_amp: float) -> Float[Tensor, "B T"]:
    """gamma_t = 1 + (gamma_amp - 1) * 1[t chosen] (arXiv 2510.13554, section 4)."""
    return 1.0 + (gamma_amp - 1.0) * chosen.float()


RULES: dict[str, Rule] = {"uniform": uniform, "random": random, "global_anchor": global_anchor}
READING_RULES = frozenset({"global_anchor"})
