"""Credit rules: small pure functions from what was read of a completion to weights for its tokens."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attention_probes.rhythm import RhythmSettings, find_rhythm, top_share

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
    alpha: float = 0.5
    """Share of a locally dominated anchor's bonus that goes to its introducer."""
    reach: int = 3
    """How many tokens before an anchor its introducer may lie."""


Rule = Callable[[View, Amplifier], Tensor]


def uniform(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """Every token weighs 1: plain GRPO."""
    return torch.ones_like(view.mask, dtype=torch.float32)


def random(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """The control: as many tokens amplified as by a real rule, drawn at random."""
    scores = torch.rand(view.mask.shape, generator=amplifier.generator).to(view.mask.device)
    return amplify(top_share(scores, view.mask, amplifier.q), amplifier.gamma_amp)


def position(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """The control that knows only where a token stands: the earliest are amplified."""
    earliness = -torch.arange(view.mask.shape[1], device=view.mask.device, dtype=torch.float32)
    return amplify(top_share(earliness.expand(view.mask.shape), view.mask, amplifier.q), amplifier.gamma_amp)


def entropy(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """The control without attention: the tokens the policy was least sure of are amplified (after arXiv 2506.01939)."""
    return amplify(top_share(view.entropy, view.mask, amplifier.q), amplifier.gamma_amp)


def global_anchor(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """Amplify the tokens that later tokens look back to most (arXiv 2510.13554, section 4, global-anchor credit)."""
    fai, _ = readings(view, "global_anchor")
    return amplify(top_share(fai, view.mask, amplifier.q), amplifier.gamma_amp)


def bottom(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """The opposite of `global_anchor`: the paper's own ablation, which fell below no shaping at all."""
    fai, _ = readings(view, "bottom")
    return amplify(top_share(-fai, view.mask, amplifier.q), amplifier.gamma_amp)


def local_chunk(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """Amplify the tokens where a new chunk begins, by the jump of WAAD (same paper, local-chunk credit)."""
    fai, waad = readings(view, "local_chunk")
    rhythm = find_rhythm(waad, fai, view.mask, RhythmSettings(q=amplifier.q, reach=amplifier.reach))
    return amplify(rhythm.preplan, amplifier.gamma_amp)


def coupled(view: View, amplifier: Amplifier) -> Float[Tensor, "B T"]:
    """Amplify anchors, and hand a share of a locally dominated anchor's bonus to its introducer (same paper).

    gamma_t = 1 + (gamma_amp - 1) (1[t in T \\ D] + (1 - alpha) 1[t in D] + alpha 1[t in I(D)]). The terms add, so an
    introducer that is an anchor too may exceed gamma_amp, as in the paper's formula.
    """
    fai, waad = readings(view, "coupled")
    rhythm = find_rhythm(waad, fai, view.mask, RhythmSettings(q=amplifier.q, reach=amplifier.reach))
    bonus = (rhythm.anchors & ~rhythm.dominated).float()
    bonus += (1.0 - amplifier.alpha) * rhythm.dominated.float() + amplifier.alpha * rhythm.introducers().float()
    return 1.0 + (amplifier.gamma_amp - 1.0) * bonus


def readings(view: View, rule: str) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """FAI and WAAD. Raises ValueError when the probe did not listen."""
    if view.fai is None or view.waad is None:
        raise ValueError(f"the rule {rule} needs probe readings, and the probe did not listen")
    return view.fai, view.waad


def amplify(chosen: Bool[Tensor, "B T"], gamma_amp: float) -> Float[Tensor, "B T"]:
    """gamma_t = 1 + (gamma_amp - 1) * 1[t chosen] (arXiv 2510.13554, section 4)."""
    return 1.0 + (gamma_amp - 1.0) * chosen.float()


RULES: dict[str, Rule] = {
    rule.__name__: rule for rule in (uniform, random, position, entropy, global_anchor, local_chunk, coupled, bottom)
}
READING_RULES = frozenset({"global_anchor", "local_chunk", "coupled", "bottom"})
