"""The assigner: turns what was read and what was verified of a micro-batch into token advantages."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attention_probes.listen import Tape
from rl.config.credit import Credit, Probe
from rl.credit.catalogue import BASES, EVIDENCE_RULES, READING_RULES, RULES
from rl.credit.metrics import Concentration
from rl.credit.promises import keep_promises, spread
from rl.credit.reader import Reader
from rl.credit.rules import Amplifier, Rule, uniform
from rl.credit.view import View

# Axes: B completions of a micro-batch, C channels, T completion tokens.


@dataclass(frozen=True, kw_only=True, slots=True)
class Assigned:
    """What a micro-batch was given."""

    advantages: Float[Tensor, "B T"]
    shares: Float[Tensor, "B T"]
    """The weights; of several channels, the size of each token's advantage, scaled to a mean of 1."""
    chosen: Float[Tensor, "B T"]
    """The same as the rule would have it, were it trusted."""
    figures: Mapping[str, float]
    """To be logged."""


class CreditAssigner:
    """Token weights for one micro-batch at a time, by the configured rule, under law 3's promises."""

    def __init__(
        self,
        credit: Credit,
        probe: Probe,
        *,
        seed: int,
        own_rule: Rule | None = None,
        piece: Callable[[int], str] | None = None,
    ):
        self.credit = credit
        self.seed = seed
        self.every, self.source = probe.every, probe.source
        self.looks_at_evidence = credit.rule in EVIDENCE_RULES
        self.needs_readings = credit.rule in READING_RULES or own_rule is not None
        self.listens_to_constraints = probe.listen == "always" or self.looks_at_evidence
        self.listens = self.listens_to_constraints or self.needs_readings
        self.reader = Reader(probe, readings=credit.readings, all_heads=credit.rule == "all_heads")
        self.concentration = Concentration(q=credit.q, piece=piece)
        self.trusted = True
        """False while the faithfulness check finds the rule's weights no better than chance: then all weigh alike."""
        self._rule = own_rule or (BASES[credit.base] if credit.rule == "all_heads" else RULES[credit.rule])

    def listens_in(self, step: int) -> bool:
        """Whether readings are taken in optimizer step `step`, counted from 0: each `probe.every`-th one has them."""
        return self.listens and (step + 1) % self.every == 0

    def listening(
        self, model: nn.Module, *, step: int, spans: Tensor | None = None
    ) -> AbstractContextManager[Tape | None]:
        """Listen to `model` if the rule or the config asks for readings from the loss's own pass in this step."""
        wanted = self.listens_in(step) and self.source == "loss"
        return self.reader.listening(model, spans=spans, wanted=wanted)

    def weights(self, view: View, *, step: int, micro_step: int) -> Float[Tensor, "B channels T"]:
        """Weights that keep law 3; the same for the same view, step and micro-step."""
        blind = self.needs_readings and view.fai is None
        raw = (uniform if blind else self._rule)(view, self._amplifier(step, micro_step))
        return keep_promises(raw, view.mask, floor=self.credit.floor, preserve_mass=self.credit.preserve_mass)

    def assign(
        self, view: View, advantages: Float[Tensor, "B channels"], ids: Tensor, *, step: int, micro_step: int
    ) -> Assigned:
        """Share each channel's advantage among the tokens `ids` (B, T) of its row."""
        weights = self.weights(view, step=step, micro_step=micro_step)
        token_advantages = spread(advantages, weights, view.mask, sign=self.credit.sign)
        chosen = shares = row_shares(weights, token_advantages, view)
        if not self.trusted:
            shares = view.mask.float()
            token_advantages = advantages.sum(dim=1, keepdim=True) * shares
        figures = self.concentration.figures(shares, view, ids, generator=self._generator(step, micro_step))
        return Assigned(
            advantages=token_advantages, shares=shares, chosen=chosen, figures=figures | self._readings(view)
        )

    def _readings(self, view: View) -> dict[str, float]:
        used = float(view.fai is not None)
        figures = {"probe/used": used} if self.listens else {}
        for name, reading in (("probe/fai", view.fai), ("probe/waad", view.waad)):
            if reading is not None:
                figures[f"{name}_mean"] = reading[view.mask].mean().item()
        if view.evidence is not None and view.evidence.attention is not None:
            figures |= constraint_figures(view.evidence.attention, view.mask)
        return figures | ({} if self.trusted else {"credit/untrusted": 1.0})

    def _generator(self, step: int, micro_step: int) -> torch.Generator:
        return torch.Generator().manual_seed(hash((self.seed, step, micro_step)) % 2**63)

    def _amplifier(self, step: int, micro_step: int) -> Amplifier:
        settings = self.credit
        return Amplifier(
            q=settings.q,
            gamma_amp=settings.gamma_amp,
            generator=self._generator(step, micro_step),
            alpha=settings.alpha,
            reach=settings.reach,
            calm_quantile=settings.calm_quantile,
            jump_quantile=settings.jump_quantile,
            base=BASES[settings.base],
        )


def row_shares(weights: Float[Tensor, "B C T"], advantages: Float[Tensor, "B T"], view: View) -> Float[Tensor, "B T"]:
    """The weights themselves where there is one channel, else the size of each token's advantage, mean 1."""
    if weights.shape[1] == 1:
        return weights[:, 0]
    return keep_promises(advantages.abs(), view.mask, floor=0.0, preserve_mass=True)[:, 0]


def constraint_figures(attention: Float[Tensor, "B C T"], mask: Bool[Tensor, "B T"]) -> dict[str, float]:
    """Mean attention of the real tokens to the constraints that some of them looked at; nothing where there is none."""
    real = attention * mask[:, None]
    stated = real.any(dim=2)
    if not bool(stated.any()):
        return {}
    means = real.sum(dim=2) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return {"probe/constraint_attention_mean": means[stated].mean().item()}
