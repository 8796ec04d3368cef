"""The assigner: turns what was read and what was verified of a micro-batch into token advantages."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attention_probes.record import AttentionRecorder
from rl.config.credit import CreditConfig, ProbeConfig
from rl.credit.catalogue import BASES, EVIDENCE_RULES, READING_RULES, RULES
from rl.credit.inputs import CreditInputs
from rl.credit.metrics import Concentration
from rl.credit.reader import ProbeReader
from rl.credit.rules import Rule, RuleParams, uniform
from rl.credit.token_weights import normalize_weights, token_advantages

# Axes: B completions of a micro-batch, C channels, T completion tokens.


@dataclass(frozen=True, kw_only=True, slots=True)
class AssignedCredit:
    """What a micro-batch was given."""

    advantages: Float[Tensor, "B T"]
    shares: Float[Tensor, "B T"]
    """The weights; of several channels, the size of each token's advantage, scaled to a mean of 1."""
    rule_weights: Float[Tensor, "B T"]
    """The same as the rule would have it, were it trusted."""
    figures: Mapping[str, float]
    """To be logged."""


class CreditAssigner:
    """Token weights for one micro-batch at a time, by the configured rule, under law 3's promises."""

    def __init__(
        self,
        credit: CreditConfig,
        probe: ProbeConfig,
        *,
        seed: int,
        custom_rule: Rule | None = None,
        piece: Callable[[int], str] | None = None,
    ):
        self.credit = credit
        self.seed = seed
        self.every, self.source = probe.every, probe.source
        self.looks_at_evidence = credit.rule in EVIDENCE_RULES
        self.needs_readings = credit.rule in READING_RULES or custom_rule is not None
        self.needs_constraint_attention = probe.listen == "always" or self.looks_at_evidence
        self.needs_probe = self.needs_constraint_attention or self.needs_readings
        self.reader = ProbeReader(probe, readings=credit.readings, all_heads=credit.rule == "all_heads")
        self.concentration = Concentration(q=credit.q, piece=piece)
        self.rule_enabled = True
        """False while the faithfulness check finds the rule's weights no better than chance: then all weigh alike."""
        self._rule = custom_rule or (BASES[credit.base] if credit.rule == "all_heads" else RULES[credit.rule])

    def needs_probe_at(self, step: int) -> bool:
        """Whether readings are taken in optimizer step `step`, counted from 0: each `probe.every`-th one has them."""
        return self.needs_probe and (step + 1) % self.every == 0

    def recording(
        self, model: nn.Module, *, step: int, spans: Tensor | None = None
    ) -> AbstractContextManager[AttentionRecorder | None]:
        """Listen to `model` if the rule or the config asks for readings from the loss's own pass in this step."""
        wanted = self.needs_probe_at(step) and self.source == "loss"
        return self.reader.recording(model, spans=spans, wanted=wanted)

    def weights(self, inputs: CreditInputs, *, step: int, micro_step: int) -> Float[Tensor, "B channels T"]:
        """Weights that keep law 3; the same for the same view, step and micro-step."""
        no_readings = self.needs_readings and inputs.fai is None
        raw = (uniform if no_readings else self._rule)(inputs, self._amplifier(step, micro_step))
        return normalize_weights(raw, inputs.mask, floor=self.credit.floor, preserve_mass=self.credit.preserve_mass)

    def assign(
        self, inputs: CreditInputs, advantages: Float[Tensor, "B channels"], ids: Tensor, *, step: int, micro_step: int
    ) -> AssignedCredit:
        """Share each channel's advantage among the tokens `ids` (B, T) of its row."""
        weights = self.weights(inputs, step=step, micro_step=micro_step)
        advantages_BT = token_advantages(advantages, weights, inputs.mask, sign=self.credit.sign)
        rule_weights = shares = row_shares(weights, advantages_BT, inputs)
        if not self.rule_enabled:
            shares = inputs.mask.float()
            advantages_BT = advantages.sum(dim=1, keepdim=True) * shares
        figures = self.concentration.figures(shares, inputs, ids, generator=self._generator(step, micro_step))
        return AssignedCredit(
            advantages=advantages_BT,
            shares=shares,
            rule_weights=rule_weights,
            figures=figures | self._readings(inputs),
        )

    def _readings(self, inputs: CreditInputs) -> dict[str, float]:
        used = float(inputs.fai is not None)
        figures = {"probe/used": used} if self.needs_probe else {}
        for name, reading in (("probe/fai", inputs.fai), ("probe/waad", inputs.waad)):
            if reading is not None:
                figures[f"{name}_mean"] = reading[inputs.mask].mean().item()
        if inputs.evidence is not None and inputs.evidence.attention is not None:
            figures |= constraint_metrics(inputs.evidence.attention, inputs.mask)
        return figures | ({} if self.rule_enabled else {"credit/rule_disabled": 1.0})

    def _generator(self, step: int, micro_step: int) -> torch.Generator:
        return torch.Generator().manual_seed(hash((self.seed, step, micro_step)) % 2**63)

    def _amplifier(self, step: int, micro_step: int) -> RuleParams:
        settings = self.credit
        return RuleParams(
            q=settings.q,
            gamma_amp=settings.gamma_amp,
            generator=self._generator(step, micro_step),
            alpha=settings.alpha,
            reach=settings.reach,
            waad_quantile=settings.waad_quantile,
            delta_quantile=settings.delta_quantile,
            base=BASES[settings.base],
        )


def row_shares(
    weights: Float[Tensor, "B C T"], advantages: Float[Tensor, "B T"], inputs: CreditInputs
) -> Float[Tensor, "B T"]:
    """The weights themselves where there is one channel, else the size of each token's advantage, mean 1."""
    if weights.shape[1] == 1:
        return weights[:, 0]
    return normalize_weights(advantages.abs(), inputs.mask, floor=0.0, preserve_mass=True)[:, 0]


def constraint_metrics(attention: Float[Tensor, "B C T"], mask: Bool[Tensor, "B T"]) -> dict[str, float]:
    """Mean attention of the real tokens to the constraints that some of them looked at; nothing where there is none."""
    real = attention * mask[:, None]
    stated = real.any(dim=2)
    if not bool(stated.any()):
        return {}
    means = real.sum(dim=2) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return {"probe/constraint_attention_mean": means[stated].mean().item()}
