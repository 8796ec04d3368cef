"""Contradictions of credit: settings of rule, probe and loss that are each allowed, but not together."""

from collections.abc import Iterator

from rl.config.credit import CreditConfig, ProbeConfig, preserves_mass
from rl.config.credit_rules import credit_rule
from rl.config.sections import Sections


def credit_contradictions(config: Sections) -> Iterator[str]:
    """Yield one sentence for each contradiction."""
    yield from _probe(config.probe)
    yield from _readings(config.credit, config.probe)
    yield from _faithfulness(config)
    if config.credit.rule != "uniform":
        yield from _nothing_moves(config)
    if config.algorithm == "grpo" and (config.credit.rule != "uniform" or config.credit.region != "all"):
        yield from _sequence_level(config)
    if config.algorithm == "grpo" and "evidence" in credit_rule(config.credit.rule).needs:
        yield from _channels(config)


def _probe(probe: ProbeConfig) -> Iterator[str]:
    near, far = probe.horizon
    if near >= far:
        yield f"probe.horizon=[{near}, {far}] is empty: the first distance must be below the second, as in [10, 100]"


def _readings(credit: CreditConfig, probe: ProbeConfig) -> Iterator[str]:
    if credit.readings == "residual" and probe.baseline is None:
        yield "credit.readings=residual needs a null baseline to subtract; set probe.baseline, or readings=raw"
    if credit.readings == "raw" and probe.baseline is not None:
        yield f"probe.baseline={probe.baseline} is not used by credit.readings=raw; set readings=residual, or drop it"
    if "all_heads" in credit_rule(credit.rule).needs and probe.roles is None:
        yield (
            f"credit.rule={credit.rule} is credit.base={credit.base} itself while probe.roles is null: both then read "
            "all heads; set probe.roles"
        )


def _faithfulness(config: Sections) -> Iterator[str]:
    settings = config.credit.faithfulness
    if settings.measure == "verdict" and not settings.resample:
        yield (
            "credit.faithfulness.measure=verdict needs completions that continue after replaced spans, but "
            "credit.faithfulness.resample=false; set resample=true, or measure=logprob"
        )
    if not settings.every:
        return
    if config.algorithm == "dpo":
        yield (
            f"credit.faithfulness.every={settings.every} checks completions that the policy samples, and "
            "algorithm=dpo samples none; set every=0"
        )
    if config.credit.rule == "uniform":
        yield f"credit.faithfulness.every={settings.every} has nothing to check under credit.rule=uniform; set every=0"


def token_setting(credit: CreditConfig) -> tuple[str, str]:
    """Return the setting by which tokens weigh differently, and its value under which they do not."""
    if credit.rule != "uniform":
        return f"credit.rule={credit.rule}", "credit.rule=uniform"
    return f"credit.region={credit.region}", "credit.region=all"


def _sequence_level(config: Sections) -> Iterator[str]:
    key, neutral = token_setting(config.credit)
    trainer = config.trainer
    for name, sequence_level in (("loss_type", "luspo"), ("importance_sampling_level", "sequence")):
        if getattr(trainer, name) == sequence_level:
            yield (
                f"{key} weighs tokens, but trainer.{name}={sequence_level} treats a completion as "
                f"one; set {neutral}, or another {name}"
            )


def _nothing_moves(config: Sections) -> Iterator[str]:
    credit = config.credit
    if credit.floor == 1.0 and preserves_mass(credit, config.algorithm):
        yield (
            f"credit.floor=1.0 with a preserved mass (credit.preserve_mass) makes every weight 1, so credit.rule="
            f"{credit.rule} does nothing; lower floor, or set credit.rule=uniform"
        )


def _channels(config: Sections) -> Iterator[str]:
    rule = config.credit.rule
    if not config.rewards.satisfaction_weight:
        yield (
            f"credit.rule={rule} shares what constraints earn, and rewards.satisfaction_weight=0.0 pays nothing for "
            "them; set satisfaction_weight=1.0, or another rule"
        )
    if config.rewards.separate:
        yield (
            f"credit.rule={rule} splits one reward for all constraints, and rewards.separate=true makes several, "
            "each with its own weight; set separate=false"
        )
    if config.trl.get("off_policy_mask_threshold") is not None:
        yield (
            f"credit.rule={rule} gives tokens of one completion different signs, but "
            "trl.off_policy_mask_threshold masks whole completions by their sign; drop that key, or set another rule"
        )
