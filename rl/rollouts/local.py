"""In-process rollouts: what TRL calls to get completions when there are no workers."""

from typing import Any, Protocol, runtime_checkable

from transformers import PreTrainedTokenizerBase

from rl.rollouts.units import cut_units, encode_prompt
from rl.types import Sample, Unit


@runtime_checkable
class Engine(Protocol):
    """Anything that can sample a unit."""

    def sample(self, unit: Unit) -> list[Sample]: ...


class Rollouts:
    """TRL's `rollout_func`: prompts of one rank's generation batch in, sampled completions out."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: PreTrainedTokenizerBase,
        *,
        num_generations: int,
        groups_per_unit: int | None,
        seed: int,
    ):
        self.engine = engine
        self.tokenizer = tokenizer
        self.num_generations = num_generations
        self.groups_per_unit = groups_per_unit
        self.seed = seed

    def __call__(self, prompts: list, trainer: Any) -> dict[str, list]:
        units = cut_units(
            [encode_prompt(self.tokenizer, prompt) for prompt in prompts],
            num_generations=self.num_generations,
            groups_per_unit=self.groups_per_unit,
            position=first_position(trainer, len(prompts) // self.num_generations),
            version=trainer.state.global_step,
            seed=self.seed,
        )
        samples = [sample for unit in units for sample in self.engine.sample(unit)]
        return {
            "prompt_ids": [list(sample.prompt_ids) for sample in samples],
            "completion_ids": [list(sample.completion_ids) for sample in samples],
            "logprobs": [list(sample.logprobs) for sample in samples],
            "finish_reason": [sample.finish_reason for sample in samples],
        }


def first_position(trainer: Any, groups_on_rank: int) -> int:
    """Place in the data order of a rank's first group: a function of the step alone, so that a resume repeats it."""
    batch = trainer._step // (trainer.args.steps_per_generation * trainer.num_iterations)
    accelerator = trainer.accelerator
    return (batch * accelerator.num_processes + accelerator.process_index) * groups_on_rank
