"""Unused settings: those that a recipe sets and that change nothing in its run."""

from collections.abc import Iterator
from functools import reduce

from rl.config.credit import CreditConfig, FaithfulnessConfig, ProbeConfig, preserves_mass
from rl.config.credit_rules import BASES, CREDIT_RULES, RULE_PARAMS, credit_rule, params_read
from rl.config.rewards import RewardsConfig
from rl.config.root import Config
from rl.config.trainer import Algorithm


def unused_settings(config: Config) -> list[str]:
    """Return one sentence for each setting that differs from its default and changes nothing."""
    return [
        f"{key}={value!r} is unused: {reason}"
        for key, reason in _unused(config)
        if (value := _value(config, key)) != _value(Config(), key)
    ]


def _unused(config: Config) -> Iterator[tuple[str, str]]:
    """Yield each key that nothing reads under the other settings, whatever its value, with the reason."""
    yield from _credit(config.credit, config.algorithm)
    yield from _probe(config.credit.rule, config.probe)
    yield from _rewards(config.rewards)
    if config.data.path is not None:
        for name in ("seed", "num_problems", "min_constraints", "max_constraints"):
            yield f"data.{name}", f"data.path={config.data.path} brings its own problems"
    if config.data.order != "band":
        yield "data.band", f"only data.order=band reads it, and the order is {config.data.order}"
    if not config.data.held_out and config.data.held_out_path is None:
        for name in ("temperature", "samples", "batch_size"):
            yield f"evaluation.{name}", "there are no held-out problems (data.held_out=0)"
    if not config.tracking.report_to:
        yield "tracking.project", "tracking.report_to is empty"
    if config.distributed.processes == 1 and not config.distributed.offload:
        yield "distributed.zero", "one process has nothing to share optimizer states with (distributed.processes=1)"


def _credit(credit: CreditConfig, algorithm: Algorithm) -> Iterator[tuple[str, str]]:
    rule, read = credit.rule, params_read(credit.rule, credit.base)
    # Under every rule but `uniform` the metrics credit/overlap_* read q.
    for name in sorted(RULE_PARAMS - read - {"q"}):
        yield f"credit.{name}", f"only credit.rule={_either(_readers(name))} reads it, and the rule is {rule}"
    if "evidence_weight" in read and preserves_mass(credit, algorithm):
        yield "credit.evidence_weight", "the mass of each completion is preserved (credit.preserve_mass)"
    if rule == "uniform":
        for name in ("q", "sign", "preserve_mass", "floor"):
            yield f"credit.{name}", "credit.rule=uniform weighs all tokens alike"
    if not credit.faithfulness.every:
        for name in FaithfulnessConfig.model_fields:
            yield f"credit.faithfulness.{name}", "credit.faithfulness.every=0 never checks"


def _readers(param: str) -> list[str]:
    """Return the rules that read a setting of `credit`, at least with one base."""
    return [rule for rule in CREDIT_RULES if any(param in params_read(rule, base) for base in BASES)]


def _probe(rule: str, probe: ProbeConfig) -> Iterator[tuple[str, str]]:
    if credit_rule(rule).needs or probe.listen == "always":
        return
    reason = f"nothing is recorded: credit.rule={rule} needs no probe and probe.listen is auto"
    for name in ProbeConfig.model_fields:
        yield f"probe.{name}", reason
    yield "credit.readings", reason


def _rewards(rewards: RewardsConfig) -> Iterator[tuple[str, str]]:
    if "length_floor" not in rewards.guards:
        yield "rewards.min_words", "the guard length_floor is not among rewards.guards"
    if "fluent" not in rewards.guards:
        yield "rewards.fluency", "the guard fluent is not among rewards.guards"
    if not rewards.satisfaction_weight:
        for name in ("satisfaction", "guards", "unfinished", "separate"):
            yield f"rewards.{name}", "rewards.satisfaction_weight is 0"


def _either(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def _value(config: Config, key: str) -> object:
    return reduce(getattr, key.split("."), config)
