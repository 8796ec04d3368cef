"""All sections of a run's settings: one field for each, valid in itself."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

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
    """Return TRL's fields that have a setting of ours, each with that setting's key."""
    keys = {name: f"trainer.{name}" for name in TrainerConfig.model_fields}
    if algorithm == "grpo":
        return keys
    return {name: key for name, key in keys.items() if name not in GRPO_ONLY} | {
        name: f"dpo.{name}" for name in DpoConfig.model_fields
    }


class Sections(Section):
    """All settings of one run, which may still contradict each other; `Config` are those that do not."""

    algorithm: Algorithm = "grpo"
    """`dpo` trains on the preference pairs of `data.path`, or with `pairs.rounds` on pairs of the policy's answers."""
    resume: Path | None = None
    """Folder of a run to continue from its newest complete checkpoint."""
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
    """Other fields of TRL's GRPOConfig or DPOConfig, passed on after a check of their names."""

    @property
    def workers_per_rank(self) -> int:
        """Each rank's share of the rollout workers, rounded up."""
        return -(-self.rollouts.ray_workers // self.distributed.processes)

    @property
    def packed_tokens(self) -> int:
        """Tokens up to which prompts are packed into one row; 0 where each has a row, as gates need."""
        return 0 if self.routing.adapters else self.trainer.tokens_per_row or 0

    @property
    def has_own_ray(self) -> bool:
        """Whether the run starts a Ray of its own, for its workers alone, which knows nothing of the ranks' GPUs."""
        return not (self.distributed.on_ray or self.rollouts.address or os.environ.get("RAY_ADDRESS"))

    @field_validator("trl")
    @classmethod
    def _check_trl_fields(cls, block: dict[str, object], info: Any) -> dict[str, object]:
        algorithm = info.data.get("algorithm", "grpo")
        if problems := field_errors(block, algorithm=algorithm, stated=stated_keys(algorithm)):
            raise ValueError("\n".join(problems))
        return block
