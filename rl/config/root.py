"""Settings: everything a run decides, with its default and its allowed values, and no torch."""

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from rl.config.credit import CreditConfig, ProbeConfig
from rl.config.data import DataConfig
from rl.config.distributed import DistributedConfig
from rl.config.model import AdapterConfig, ModelConfig
from rl.config.pairs import PairsConfig
from rl.config.rewards import RewardsConfig
from rl.config.rollouts import RolloutsConfig
from rl.config.routing import RoutingConfig
from rl.config.run import EvaluationConfig, RunConfig, TrackingConfig
from rl.config.trainer import GRPO_ONLY, Algorithm, DpoConfig, TrainerConfig
from rl.config.trl_fields import field_errors
from rl.config.types import Section


def stated_keys(algorithm: Algorithm) -> dict[str, str]:
    """TRL field -> the key of ours that sets it."""
    keys = {name: f"trainer.{name}" for name in TrainerConfig.model_fields}
    if algorithm == "grpo":
        return keys
    return {name: key for name, key in keys.items() if name not in GRPO_ONLY} | {
        name: f"dpo.{name}" for name in DpoConfig.model_fields
    }


class Config(Section):
    """One run. `heed train RECIPE --dry-run` prints it resolved."""

    algorithm: Algorithm = "grpo"
    """`dpo` trains on the preference pairs of `data.path`, or with `pairs.rounds` on pairs that it makes itself."""
    resume: Path | None = None
    """A run folder to continue from its newest complete checkpoint."""
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    rewards: RewardsConfig = RewardsConfig()
    credit: CreditConfig = CreditConfig()
    probe: ProbeConfig = ProbeConfig()
    trainer: TrainerConfig = TrainerConfig()
    dpo: DpoConfig = DpoConfig()
    pairs: PairsConfig = PairsConfig()
    lora: AdapterConfig = AdapterConfig()
    routing: RoutingConfig = RoutingConfig()
    rollouts: RolloutsConfig = RolloutsConfig()
    distributed: DistributedConfig = DistributedConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    tracking: TrackingConfig = TrackingConfig()
    run: RunConfig = RunConfig()
    trl: dict[str, object] = Field(default_factory=dict)
    """Any other field of TRL's GRPOConfig or DPOConfig, passed through after a check of its name."""

    @field_validator("trl")
    @classmethod
    def _trl_fields_are_free(cls, block: dict[str, object], info: Any) -> dict[str, object]:
        algorithm = info.data.get("algorithm", "grpo")
        if problems := field_errors(block, algorithm=algorithm, stated=stated_keys(algorithm)):
            raise ValueError("\n".join(problems))
        return block

    @model_validator(mode="after")
    def _settings_agree(self) -> "Config":
        # Imported here: the contradictions are written in terms of these classes.
        from rl.config.checks.general import contradictions

        if found := list(contradictions(self)):
            raise ValueError("\n".join(found))
        return self
