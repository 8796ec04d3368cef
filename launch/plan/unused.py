"""Unused settings: what a recipe sets and no part of the run would read."""

from collections.abc import Iterator

from rl.config.root import Config

READ_ONLY_BY = {"credit.alpha": "coupled", "credit.reach": "coupled"}


def unused_settings(config: Config) -> list[str]:
    """One sentence for each setting that differs from its default and changes nothing."""
    return [
        f"{key}={value!r} is unused: {reason}"
        for key, reason in _idle(config)
        if (value := _value(config, key)) != _value(Config(), key)
    ]


def _idle(config: Config) -> Iterator[tuple[str, str]]:
    """Keys that nothing reads under the other settings, whatever their value, each with the reason."""
    rule = config.credit.rule
    yield "evaluation.every", "no evaluation is made during the training yet; set it to 0"
    for key, reader in READ_ONLY_BY.items():
        if rule != reader:
            yield key, f"only credit.rule={reader} reads it, and the rule is {rule}"
    if rule == "uniform":
        for name in ("q", "gamma_amp", "sign", "preserve_mass", "floor"):
            yield f"credit.{name}", "credit.rule=uniform weighs all tokens alike"
        if config.probe.listen == "auto":
            for name in ("layers", "window", "horizon"):
                yield f"probe.{name}", "nothing listens: credit.rule=uniform reads nothing and probe.listen is auto"
    if "length_floor" not in config.rewards.guards:
        yield "rewards.min_words", "the guard length_floor is not among rewards.guards"
    if not config.rewards.satisfaction_weight:
        for name in ("satisfaction", "guards"):
            yield f"rewards.{name}", "rewards.satisfaction_weight is 0"
    if config.data.path is not None:
        for name in ("seed", "num_problems", "max_constraints"):
            yield f"data.{name}", f"data.path={config.data.path} brings its own problems"
    if not config.data.held_out and config.data.held_out_path is None:
        for name in ("temperature", "samples", "batch_size"):
            yield f"evaluation.{name}", "there are no held-out problems (data.held_out=0)"
    if not config.tracking.report_to:
        yield "tracking.project", "tracking.report_to is empty"
    if config.distributed.processes == 1:
        yield "distributed.zero", "one process has nobody to share optimizer states with (distributed.processes=1)"


def _value(config: Config, key: str) -> object:
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)
