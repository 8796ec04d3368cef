"""Settings: everything a run decides, with its default and its allowed values, and no torch."""

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from rl.config.credit import Credit, Probe
from rl.config.data import Data
from rl.config.distributed import Distributed
from rl.config.model import Lora, Model
from rl.config.pairs import Pairs
from rl.config.rewards import Rewards
from rl.config.rollouts import Rollouts
from rl.config.routing import Routing
from rl.config.run import Evaluation, Run, Tracking
from rl.config.trainer import GRPO_ONLY, Algorithm, Dpo, Trainer
from rl.config.trl_fields import refusals
from rl.config.types import Section


def stated_keys(algorithm: Algorithm) -> dict[str, str]:
    """TRL field -> the key of ours that sets it."""
    keys = {name: f"trainer.{name}" for name in Trainer.model_fields}
    if algorithm == "grpo":
        return keys
    return {name: key for name, key in keys.items() if name not in GRPO_ONLY} | {
        name: f"dpo.{name}" for name in Dpo.model_fields
    }


class Config(Section):
    """One run. `heed train RECIPE --dry-run` prints it resolved."""

    algorithm: Algorithm = "grpo"
    """`dpo` trains on the preference pairs of `data.path`, or with `pairs.rounds` on pairs that it makes itself."""
    resume: Path | None = None
    """A run folder to continue from its newest complete checkpoint."""
    model: Model = Model()
    data: Data = Data()
    rewards: Rewards = Rewards()
    credit: Credit = Credit()
    probe: Probe = Probe()
    trainer: Trainer = Trainer()
    dpo: Dpo = Dpo()
    pairs: Pairs = Pairs()
    lora: Lora = Lora()
    routing: Routing = Routing()
    rollouts: Rollouts = Rollouts()
    distributed: Distributed = Distributed()
    evaluation: Evaluation = Evaluation()
    tracking: Tracking = Tracking()
    run: Run = Run()
    trl: dict[str, object] = Field(default_factory=dict)
    """Any other field of TRL's GRPOConfig or DPOConfig, passed through after a check of its name."""

    @field_validator("trl")
    @classmethod
    def _trl_fields_are_free(cls, block: dict[str, object], info: Any) -> dict[str, object]:
        algorithm = info.data.get("algorithm", "grpo")
        if problems := refusals(block, algorithm=algorithm, stated=stated_keys(algorithm)):
            raise ValueError("\n".join(problems))
        return block

    @model_validator(mode="after")
    def _settings_agree(self) -> "Config":
        # Imported here: the contradictions are written in terms of these classes.
        from rl.config.checks.general import contradictions

        if found := list(contradictions(self)):
            raise ValueError("\n".join(found))
        return self
