"""Contradictions of attention: what cannot go together with attention that is calibrated, or sparse."""

from collections.abc import Iterator

from rl.config.credit_rules import credit_rule
from rl.config.sections import Sections


def attention_contradictions(config: Sections) -> Iterator[str]:
    """Yield one sentence for each contradiction."""
    if config.rollouts.sparse.plan is not None:
        yield from _sparse(config, f"rollouts.sparse.plan={config.rollouts.sparse.plan}")
    if config.model.calibration is not None:
        yield from _replaced(config, f"model.calibration={config.model.calibration}")


def _sparse(config: Sections, setting: str) -> Iterator[str]:
    rollouts = config.rollouts
    if config.algorithm == "dpo":
        yield f"{setting} is about sampling by GRPO; drop it, or set algorithm=grpo"
        return
    if rollouts.workers or rollouts.on_servers or rollouts.engine != "transformers":
        yield (
            f"{setting} is for sampling in the trainer's process, where one gate decides for all requests; set "
            "rollouts.engine=transformers and rollouts.workers=0, or drop it"
        )
    if rollouts.correction == "none":
        yield (
            f"{setting} samples from another policy than the one that is trained, and rollouts.correction=none would "
            "not weigh its tokens; set correction=token_truncate or sequence_mask"
        )
    elif config.trainer.loss_type == "luspo":
        yield (f"{setting} needs rollouts.correction, which trainer.loss_type=luspo does itself; set another loss_type")
    if config.routing.adapters:
        yield f"{setting} is compared with dense attention by one policy, and routing.adapters has several; drop one"
    if config.model.calibration is not None:
        yield f"{setting} and model.calibration both replace the model's attention; drop one of the two"


def _replaced(config: Sections, setting: str) -> Iterator[str]:
    """Yield what cannot go together with attention that another function computes."""
    if config.algorithm == "grpo" and config.rollouts.engine != "transformers":
        yield (
            f"{setting} changes attention, which rollouts.engine={config.rollouts.engine} computes by kernels of its "
            "own; set rollouts.engine=transformers, or drop it"
        )
    if config.trainer.shared_prompts:
        yield f"{setting} reads each completion in a row of its own; set trainer.shared_prompts=false, or drop it"
    needs, probe = credit_rule(config.credit.rule).needs, config.probe
    reading = [f"credit.rule={config.credit.rule}"] if {"probe", "evidence"} & needs else []
    reading += ["probe.listen=always"] if probe.listen == "always" else []
    reading += ["probe.indicators=true"] if probe.indicators else []
    if reading:
        yield f"{reading[0]} reads the model's own attention, which {setting} replaces; drop one of the two"
