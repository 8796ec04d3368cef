"""The view: what a credit rule may look at."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Shaped
from torch import Tensor

# Axes: B completions of a micro-batch, C constraints (as many as the prompt with most has), T completion tokens.


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Where each constraint was kept or broken, as far as anyone knows."""

    tokens: Bool[Tensor, "B C T"]
    """Tokens that prove or break the constraint: all of them for a rule about the whole text, none for an absence."""
    failed: Bool[Tensor, "B C"]
    """The constraint applies to the completion and is not satisfied."""
    attention: Float[Tensor, "B C T"] | None = None
    """What each token pays to the passage that states the constraint, over what the prompt's other tokens get; None
    if the probe did not listen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditInputs:
    """The real tokens, what the probe read of them and what the verifiers showed; None for what was not asked for."""

    mask: Bool[Tensor, "B T"]
    entropy: Float[Tensor, "B T"]
    fai: Float[Tensor, "B T"] | None = None
    waad: Float[Tensor, "B T"] | None = None
    evidence: Evidence | None = None

    def by_token(self) -> dict[str, Shaped[Tensor, "B T"]]:
        """What is known of each token, by name."""
        known = {"mask": self.mask, "entropy": self.entropy, "fai": self.fai, "waad": self.waad}
        return {name: values for name, values in known.items() if values is not None}
