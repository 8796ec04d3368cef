"""Assigner: from what was read and verified of a micro-batch to the advantage of each token."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attention_probes.record import AttentionRecorder
from rl.config.credit import CreditConfig, ProbeConfig, Region, preserves_mass
from rl.config.credit_rules import credit_rule
from rl.credit.inputs import CreditInputs, Rule, RuleParams
from rl.credit.metrics import ConcentrationMetrics, mean_where
from rl.credit.reader import ProbeReader
from rl.credit.rules import rule_functions
from rl.credit.token_weights import (
    WeightCheck,
    normalize_weights,
    strongest_channel,
    token_advantages,
    weights_tensor,
)

# Axes: B completions of a micro-batch, C channels, T completion tokens.


@dataclass(frozen=True, kw_only=True, slots=True)
class AssignedCredit:
    """Credit of a micro-batch."""

    advantages: Float[Tensor, "B T"]
    shares: Float[Tensor, "B T"]
    """The weights; of several channels, the size of each token's advantage, scaled to a mean of 1."""
    rule_weights: Float[Tensor, "B T"]
    """The shares that the rule gives, even while it is disabled."""
    metrics: Mapping[str, float | Tensor]
    """Tensors are still on the device."""
    channels: Float[Tensor, "B T"] | None = None
    """The channel that moves each token most, 0 where it is that of no constraint; None of a rule with one channel."""


class CreditAssigner:
    """Shares the advantages of one micro-batch at a time among its tokens, by the configured rule.

    The weights are detached, at least `credit.floor`, 0 on masked tokens, and average 1 over each completion, unless
    `credit.preserve_mass` says otherwise, null as for GRPO.
    """

    def __init__(
        self,
        credit: CreditConfig,
        probe: ProbeConfig,
        *,
        seed: int,
        custom_rule: Rule | None = None,
        punctuation: Bool[Tensor, " V"] | None = None,
    ):
        needs = credit_rule(credit.rule).needs
        functions = rule_functions()
        self.credit = credit
        self.preserve_mass = preserves_mass(credit)
        self.seed = seed
        self.region: Region = credit.region
        self.every, self.source = probe.every, probe.source
        self.needs_evidence = "evidence" in needs
        self.needs_readings = "probe" in needs
        self.needs_constraint_attention = probe.listen == "always" or self.needs_evidence
        self.needs_probe = self.needs_constraint_attention or self.needs_readings or probe.indicators
        self.reader = ProbeReader(probe, readings=credit.readings, all_heads="all_heads" in needs)
        self.rule_enabled = True
        """False while the faithfulness check finds the rule's weights no better than chance: then all weigh alike."""
        self._rule = custom_rule or functions[credit.rule]
        self._uniform, self._base = functions["uniform"], functions[credit.base]
        self._concentration = ConcentrationMetrics(q=credit.q, punctuation=punctuation)
        self._weight_check = WeightCheck()

    def needs_probe_at(self, step: int) -> bool:
        """Return whether optimizer step `step`, counted from 0, has readings: each `probe.every`-th one does."""
        return self.needs_probe and (step + 1) % self.every == 0

    def recording(
        self, model: nn.Module, *, step: int, spans: Tensor | None = None
    ) -> AbstractContextManager[AttentionRecorder | None]:
        """Record the attention of the loss's own forward pass in the block, where this step needs it."""
        wanted = self.needs_probe_at(step) and self.source == "loss"
        return self.reader.recording(model, spans=spans, wanted=wanted)

    def weights(self, inputs: CreditInputs, *, step: int, micro_step: int) -> Float[Tensor, "B channels T"]:
        """Return the rule's normalized weights; they depend on inputs, seed, step and micro-step alone."""
        no_readings = self.needs_readings and inputs.fai is None
        rule = self._uniform if no_readings else self._rule
        weights = weights_tensor(rule(inputs, self._params(step, micro_step)), inputs.mask)
        self._weight_check.add(weights, inputs.mask)
        return normalize_weights(weights, inputs.mask, floor=self.credit.floor, preserve_mass=self.preserve_mass)

    def check_weights(self) -> None:
        """Raise UserError if the rule gave a negative or non-finite weight since the last call.

        To be called before an optimizer step: looking at each micro-batch would wait for the device as often.
        """
        self._weight_check.raise_if_invalid()

    def assign(
        self, inputs: CreditInputs, advantages: Float[Tensor, "B channels"], ids: Tensor, *, step: int, micro_step: int
    ) -> AssignedCredit:
        """Share each channel's advantage among the tokens `ids` (B, T) of its row."""
        weights = self.weights(inputs, step=step, micro_step=micro_step)
        advantages_BT = token_advantages(advantages, weights, inputs.mask, sign=self.credit.sign)
        rule_weights = shares = row_shares(weights, advantages_BT, inputs.mask)
        if not self.rule_enabled:
            shares = inputs.mask.float()
            advantages_BT = advantages.sum(dim=1, keepdim=True) * shares
        channels = None
        if self.rule_enabled and weights.shape[1] > 1:
            channels = strongest_channel(advantages, weights, inputs.mask, sign=self.credit.sign)
        concentration = self._concentration.measure(shares, inputs, ids, generator=self._generator(step, micro_step))
        return AssignedCredit(
            advantages=advantages_BT,
            shares=shares,
            rule_weights=rule_weights,
            metrics=concentration | self._probe_metrics(inputs),
            channels=channels,
        )

    def _probe_metrics(self, inputs: CreditInputs) -> dict[str, float | Tensor]:
        metrics: dict[str, float | Tensor] = {"probe/used": float(inputs.fai is not None)} if self.needs_probe else {}
        for name, reading in (("probe/fai", inputs.fai), ("probe/waad", inputs.waad)):
            if reading is not None:
                metrics[f"{name}_mean"] = mean_where(reading, inputs.mask)
        if inputs.indicators is not None:
            named = zip(self.reader.indicator_names, inputs.indicators.unbind(dim=1), strict=True)
            metrics |= {f"probe/{name}": mean_where(values, inputs.mask) for name, values in named}
        if inputs.evidence is not None and inputs.evidence.attention is not None:
            metrics |= constraint_metrics(inputs.evidence.attention, inputs.mask)
        return metrics | ({} if self.rule_enabled else {"credit/rule_disabled": 1.0})

    def _generator(self, step: int, micro_step: int) -> torch.Generator:
        return torch.Generator().manual_seed(hash((self.seed, step, micro_step)) % 2**63)

    def _params(self, step: int, micro_step: int) -> RuleParams:
        settings = self.credit
        return RuleParams(
            q=settings.q,
            gamma_amp=settings.gamma_amp,
            generator=self._generator(step, micro_step),
            alpha=settings.alpha,
            reach=settings.reach,
            waad_quantile=settings.waad_quantile,
            delta_quantile=settings.delta_quantile,
            evidence_weight=settings.evidence_weight,
            without_evidence=settings.without_evidence,
            base=self._base,
        )


def row_shares(
    weights: Float[Tensor, "B C T"], advantages: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, "B T"]:
    """Return the weights themselves where there is one channel, else the size of each token's advantage, mean 1."""
    if weights.shape[1] == 1:
        return weights[:, 0]
    return normalize_weights(advantages.abs(), mask, floor=0.0, preserve_mass=True)[:, 0]


def constraint_metrics(attention: Float[Tensor, "B C T"], mask: Bool[Tensor, "B T"]) -> dict[str, Tensor]:
    """Return the mean attention of real tokens to the constraints that some of them attend to; NaN without any."""
    real = attention * mask[:, None]
    stated = real.any(dim=2)
    means = real.sum(dim=2) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return {"probe/constraint_attention_mean": mean_where(means, stated)}
