"""Contradictions of DPO: settings that are each allowed, but not together or not with this algorithm."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rl.config.checks.credit import BY_CONSTRAINT
from rl.config.pairs import PairsConfig
from rl.config.rollouts import RolloutsConfig
from rl.config.trainer import GRPO_ONLY, TrainerConfig

if TYPE_CHECKING:  # the settings import these checks
    from rl.config.root import Config

SAMPLING = frozenset({"num_generations", "max_completion_length", "temperature"})
"""Of GRPO's fields, those that evaluation and sampling of pairs use under DPO too."""
AVERAGED = ("ipo", "sigmoid_norm")
"""Loss types that divide by an answer's number of tokens."""


def dpo_contradictions(config: "Config") -> Iterator[str]:
    """One sentence for each."""
    yield from _of_grpo(config.trainer)
    yield from _sampling(config.rollouts)
    yield from _losses(config)
    yield from _pairs(config)
    if config.credit.rule != "uniform":
        yield from _weighted(config)


def _of_grpo(trainer: TrainerConfig) -> Iterator[str]:
    defaults = TrainerConfig()
    for name in sorted(GRPO_ONLY - SAMPLING):
        if getattr(trainer, name) != getattr(defaults, name):
            meant = "; did you mean dpo." + name + "?" if name in ("beta", "loss_type") else ""
            yield f"trainer.{name}={getattr(trainer, name)} means nothing to algorithm=dpo{meant or '; drop it'}"


def _sampling(rollouts: RolloutsConfig) -> Iterator[str]:
    defaults = RolloutsConfig()
    for name in ("workers", "engine", "address", "max_staleness"):
        if getattr(rollouts, name) != getattr(defaults, name):
            yield f"rollouts.{name}={getattr(rollouts, name)} means nothing to algorithm=dpo; drop it"


def _losses(config: "Config") -> Iterator[str]:
    dpo = config.dpo
    if dpo.loss_weights is not None and len(dpo.loss_weights) != len(dpo.loss_type):
        yield (
            f"dpo.loss_weights has {len(dpo.loss_weights)} weights for the {len(dpo.loss_type)} of dpo.loss_type="
            f"{list(dpo.loss_type)}; give one for each, or null"
        )
    if "exo_pair" in dpo.loss_type and dpo.label_smoothing == 0.0:
        yield "dpo.loss_type=exo_pair needs dpo.label_smoothing above 0; set label_smoothing=0.001 as its paper does"


def _pairs(config: "Config") -> Iterator[str]:
    if config.data.path is None and not config.pairs.rounds:
        yield (
            "algorithm=dpo trains on preference pairs; set data.path to a file of them (heed data pairs makes one), or "
            "pairs.rounds to make them from the policy's own answers"
        )
    if not config.pairs.rounds and config.pairs != PairsConfig():
        yield "pairs says how pairs are made, but pairs.rounds=0 makes none; set pairs.rounds, or drop the rest"
    if config.probe.source == "separate":
        yield "probe.source=separate reads before a loss that algorithm=dpo has only one of; set source=loss"


def _weighted(config: "Config") -> Iterator[str]:
    rule, dpo = config.credit.rule, config.dpo
    if dpo.precompute_ref_log_probs:
        yield (
            f"credit.rule={rule} weighs policy and reference alike, but dpo.precompute_ref_log_probs=true sums the "
            "reference's log-probs before there are weights; set one of the two otherwise"
        )
    if dpo.use_weighting:
        yield (
            f"credit.rule={rule} would weigh the log-probs that dpo.use_weighting=true weighs pairs by; set one of the "
            "two otherwise"
        )
    if "sft" in dpo.loss_type:
        yield (
            f"credit.rule={rule} would weigh the likelihood that dpo.loss_type=sft maximises, which no preference "
            "stands behind; drop sft, or set credit.rule=uniform"
        )
    for loss_type in AVERAGED:
        if loss_type in dpo.loss_type and not config.credit.preserve_mass:
            yield (
                f"dpo.loss_type={loss_type} divides by the number of tokens, which credit.preserve_mass=false makes "
                "wrong; set preserve_mass=true"
            )
    if rule in BY_CONSTRAINT and config.trl.get("truncation_mode") == "keep_end":
        yield (
            f"credit.rule={rule} looks for constraints in the prompt, which trl.truncation_mode=keep_end cuts off; "
            "drop that key"
        )
