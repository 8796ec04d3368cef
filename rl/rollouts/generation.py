"""Generation config: the sampling settings that every engine takes."""

from dataclasses import dataclass

from rl.config.rollouts import RolloutsConfig
from rl.config.trainer import TrainerConfig
from rl.rollouts.types import RolloutRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationConfig:
    """How completions are sampled; top-p and top-k are off, because the trainer's log-probs know neither.

    Example:
        GenerationConfig(temperature=1.0, max_completion_length=256)
    """

    temperature: float
    """Divides the logits; 0 takes the likeliest token."""
    max_completion_length: int
    """Tokens of a completion at most."""
    threads: int | None = None
    """Torch threads while sampling; None leaves torch's own number."""
    packed_weights: bool = False
    """Whether decoding on a CPU has a copy of the frozen weights of its own, in the layout that multiplies fastest."""

    def temperature_of(self, request: RolloutRequest) -> float:
        """Return the temperature of a request, which an evaluation brings along."""
        return self.temperature if request.temperature is None else request.temperature


def generation_config(
    trainer: TrainerConfig, rollouts: RolloutsConfig, *, temperature: float | None = None
) -> GenerationConfig:
    """Return a run's sampling settings, at the training temperature unless another is given."""
    return GenerationConfig(
        temperature=trainer.temperature if temperature is None else temperature,
        max_completion_length=trainer.max_completion_length,
        threads=rollouts.threads,
        packed_weights=rollouts.packed_weights,
    )
