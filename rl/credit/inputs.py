"""Inputs: what a credit rule gets, and the form of its weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

# Axes: B completions of a micro-batch, C constraints (as many as the prompt with most has), T completion tokens.


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Which tokens each constraint's verdict is about."""

    tokens: Bool[Tensor, "B C T"]
    """Tokens that satisfy or violate the constraint: all for a rule about the whole text, none for an absence."""
    failed: Bool[Tensor, "B C"]
    """The constraint applies to the completion and is not satisfied."""
    attention: Float[Tensor, "B C T"] | None = None
    """Each token's attention to the passage that states the constraint, relative to the prompt's other tokens; None if
    the probe recorded nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditInputs:
    """The real tokens, what the probe read of them and what the verifiers found; None for what was not collected."""

    mask: Bool[Tensor, "B T"]
    entropy: Float[Tensor, "B T"]
    fai: Float[Tensor, "B T"] | None = None
    """Future attention influence: how much later tokens attend to this one."""
    waad: Float[Tensor, "B T"] | None = None
    """Windowed average attention distance: how far back this token attends."""
    boundary: Float[Tensor, "B T"] | None = None
    """How differently later tokens treat what lies before and behind a cut after this one; 1 is alike."""
    evidence: Evidence | None = None
    indicators: Float[Tensor, "B N T"] | None = None
    """Numbers for the log, which no rule reads: `ProbeReader.indicator_names` has their names."""

    def by_token(self) -> dict[str, Shaped[Tensor, "B T"]]:
        """Return what is known of each token, by name."""
        known = {"mask": self.mask, "entropy": self.entropy, "fai": self.fai, "waad": self.waad}
        known["boundary"] = self.boundary
        return {name: values for name, values in known.items() if values is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleParams:
    """Settings of `credit` that a rule may read, and a source of random numbers."""

    q: float
    """Share of a completion's tokens that are amplified."""
    gamma_amp: float
    """Weight of an amplified token; others weigh 1."""
    generator: torch.Generator
    """Seeded by run, step and micro-step."""
    alpha: float = 0.5
    """Share of a locally dominated anchor's bonus that goes to its introducer."""
    reach: int = 3
    """How many tokens before an anchor its introducer may lie."""
    waad_quantile: float = 0.5
    delta_quantile: float = 0.5
    """What marks an anchor as locally dominated; see `RhythmSettings`."""
    evidence_weight: float = 4.0
    """Weight of a token of evidence, where the mass is not preserved; T/k of k among T tokens if that is less."""
    without_evidence: Literal["text", "attention"] = "text"
    """What answers for a constraint that failed and left no evidence."""
    base: "Rule | None" = None
    """The rule that a control is the control of."""


Rule = Callable[[CreditInputs, RuleParams], Tensor]
"""Weights (B, T), or (B, channels, T), finite and >= 0 on real tokens; `normalize_weights` does the rest."""
