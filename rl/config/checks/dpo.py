"""Contradictions in the settings of DPO: together, or with `algorithm=dpo`."""

from collections.abc import Iterator

from rl.config.checks.credit import token_setting
from rl.config.credit_rules import credit_rule
from rl.config.pairs import PairsConfig
from rl.config.rollouts import RolloutsConfig
from rl.config.sections import Sections
from rl.config.trainer import GRPO_ONLY, DpoConfig, TrainerConfig

SAMPLING = frozenset({"num_generations", "max_completion_length", "temperature"})
"""Fields of GRPO that evaluation and the sampling of pairs use with DPO too."""
LENGTH_NORMALIZED = ("ipo", "sigmoid_norm")
"""Loss types that divide by a completion's number of tokens."""


def dpo_contradictions(config: Sections) -> Iterator[str]:
    """Yield one sentence for each contradiction."""
    yield from _grpo_only(config.trainer)
    yield from _sampling(config.rollouts)
    yield from _losses(config.dpo)
    yield from _pairs(config)
    if config.credit.rule != "uniform" or config.credit.region != "all":
        yield from _token_weights(config)


def _grpo_only(trainer: TrainerConfig) -> Iterator[str]:
    defaults = TrainerConfig()
    for name in sorted(GRPO_ONLY - SAMPLING):
        if getattr(trainer, name) != getattr(defaults, name):
            hint = "; did you mean dpo." + name + "?" if name in ("beta", "loss_type") else ""
            yield f"trainer.{name}={getattr(trainer, name)} has no effect with algorithm=dpo{hint or '; drop it'}"


def _sampling(rollouts: RolloutsConfig) -> Iterator[str]:
    defaults = RolloutsConfig()
    for name in ("workers", "engine", "address", "max_staleness"):
        if getattr(rollouts, name) != getattr(defaults, name):
            yield f"rollouts.{name}={getattr(rollouts, name)} has no effect with algorithm=dpo; drop it"


def _losses(dpo: DpoConfig) -> Iterator[str]:
    if dpo.loss_weights is not None and len(dpo.loss_weights) != len(dpo.loss_type):
        yield (
            f"dpo.loss_weights has {len(dpo.loss_weights)} weights for the {len(dpo.loss_type)} of dpo.loss_type="
            f"{list(dpo.loss_type)}; give one for each, or set null"
        )
    if "exo_pair" in dpo.loss_type and dpo.label_smoothing == 0.0:
        yield "dpo.loss_type=exo_pair needs dpo.label_smoothing above 0; set label_smoothing=0.001 as its paper does"


def _pairs(config: Sections) -> Iterator[str]:
    if config.data.path is None and not config.pairs.rounds:
        yield (
            "algorithm=dpo trains on preference pairs; set data.path to a file of them (heed data pairs makes one), or "
            "pairs.rounds to make them from the policy's answers"
        )
    if not config.pairs.rounds and config.pairs != PairsConfig():
        yield "the settings of pairs have no effect with pairs.rounds=0; set pairs.rounds, or drop them"
    if config.probe.source == "separate":
        yield "probe.source=separate is not supported with algorithm=dpo; set probe.source=loss"


def _token_weights(config: Sections) -> Iterator[str]:
    (key, neutral), dpo = token_setting(config.credit), config.dpo
    if dpo.precompute_ref_log_probs:
        yield (
            f"{key} weighs policy and reference alike, but dpo.precompute_ref_log_probs=true sums the "
            "reference's log-probs before there are weights; change one of the two"
        )
    if dpo.use_weighting:
        yield (f"{key} would weigh the log-probs that dpo.use_weighting=true weighs pairs by; change one of the two")
    if "sft" in dpo.loss_type:
        yield (
            f"{key} would weigh the likelihood that dpo.loss_type=sft maximises, which says nothing "
            f"about the preference; drop sft, or set {neutral}"
        )
    for loss_type in LENGTH_NORMALIZED:
        if loss_type in dpo.loss_type and config.credit.region != "all":
            yield (
                f"dpo.loss_type={loss_type} divides by the tokens of thought and answer, of which credit.region="
                f"{config.credit.region} counts some; set credit.region=all, or another loss_type"
            )
        if loss_type in dpo.loss_type and config.credit.preserve_mass is False:
            yield (
                f"dpo.loss_type={loss_type} divides by the number of tokens, which is wrong with "
                "credit.preserve_mass=false; set preserve_mass=true"
            )
    rule = config.credit.rule
    if "evidence" in credit_rule(rule).needs and config.trl.get("truncation_mode") == "keep_end":
        yield (
            f"credit.rule={rule} reads the constraints in the prompt, which trl.truncation_mode=keep_end truncates; "
            "drop that key"
        )
