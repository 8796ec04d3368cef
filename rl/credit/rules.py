"""Credit rules: small pure functions from what was read of a completion to weights for its tokens."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attention_probes.rhythm import Rhythm, RhythmSettings, find_rhythm, top_share
from rl.credit.inputs import CreditInputs

# Axes: B completions of a micro-batch, T completion tokens.


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleParams:
    """Which tokens are amplified, by how much, and the random numbers of the controls."""

    q: float
    """Share of a completion's tokens that are amplified."""
    gamma_amp: float
    generator: torch.Generator
    alpha: float = 0.5
    """Share of a locally dominated anchor's bonus that goes to its introducer."""
    reach: int = 3
    """How many tokens before an anchor its introducer may lie."""
    waad_quantile: float = 0.5
    delta_quantile: float = 0.5
    """What marks an anchor as locally dominated; see `RhythmSettings`."""
    base: "Rule | None" = None
    """The rule that `shuffled` is the control of."""


Rule = Callable[[CreditInputs, RuleParams], Tensor]
"""Weights (B, T), or (B, channels, T): finite and >= 0 on real tokens. `promises.py` sees to the rest."""


def uniform(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Every token weighs 1: plain GRPO."""
    return torch.ones_like(inputs.mask, dtype=torch.float32)


def global_anchor(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Amplify the tokens that later tokens look back to most (arXiv 2510.13554, section 4, global-anchor credit)."""
    fai, _ = readings(inputs, "global_anchor")
    return amplify(top_share(fai, inputs.mask, params.q), params.gamma_amp)


def local_chunk(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Amplify the tokens where a new chunk begins, by the jump of WAAD (same paper, local-chunk credit)."""
    return amplify(rhythm_of(inputs, params, "local_chunk").preplan, params.gamma_amp)


def coupled(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Amplify anchors, and hand a share of a locally dominated anchor's bonus to its introducer (same paper).

    gamma_t = 1 + (gamma_amp - 1) (1[t in T \\ D] + (1 - alpha) 1[t in D] + alpha 1[t in I(D)]). The terms add, so an
    introducer that is an anchor too may exceed gamma_amp, as in the paper's formula.
    """
    rhythm = rhythm_of(inputs, params, "coupled")
    bonus = (rhythm.anchors & ~rhythm.dominated).float()
    bonus += (1.0 - params.alpha) * rhythm.dominated.float() + params.alpha * rhythm.introducers().float()
    return 1.0 + (params.gamma_amp - 1.0) * bonus


def rhythm_of(inputs: CreditInputs, params: RuleParams, rule: str) -> Rhythm:
    """The marked tokens of a view. Raises ValueError when the probe did not listen."""
    fai, waad = readings(inputs, rule)
    settings = RhythmSettings(
        q=params.q,
        reach=params.reach,
        waad_quantile=params.waad_quantile,
        delta_quantile=params.delta_quantile,
    )
    return find_rhythm(waad, fai, inputs.mask, settings)


def readings(inputs: CreditInputs, rule: str) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """FAI and WAAD. Raises ValueError when the probe did not listen."""
    if inputs.fai is None or inputs.waad is None:
        raise ValueError(f"the rule {rule} needs probe readings, and the probe did not listen")
    return inputs.fai, inputs.waad


def amplify(chosen: Bool[Tensor, "B T"], gamma_amp: float) -> Float[Tensor, "B T"]:
    """gamma_t = 1 + (gamma_amp - 1) * 1[t chosen] (arXiv 2510.13554, section 4)."""
    return 1.0 + (gamma_amp - 1.0) * chosen.float()
