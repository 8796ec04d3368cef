"""Settings of `trainer` and `dpo`; fields that TRL has too are named as there."""

import math
from typing import Annotated, Literal

from pydantic import Field, field_validator

from rl.config.types import Fraction, Positive, Section, Seed, Weight

Algorithm = Literal["grpo", "dpo"]

GRPO_ONLY = frozenset(
    {
        "steps_per_generation",
        "num_generations",
        "num_iterations",
        "max_completion_length",
        "temperature",
        "beta",
        "epsilon",
        "epsilon_high",
        "loss_type",
        "scale_rewards",
        "importance_sampling_level",
        "mask_truncated_completions",
    }
)
"""Fields of `TrainerConfig` that TRL's DPOConfig does not have."""
OWN = frozenset({"shared_prompts", "tokens_per_row"})
"""Fields of `TrainerConfig` that TRL does not have at all."""


class TrainerConfig(Section):
    """Optimization and GRPO; fields that TRL's GRPOConfig has too are named as there."""

    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-5
    max_steps: Positive = 100
    num_train_epochs: Annotated[float, Field(gt=0.0)] | None = None
    """Passes over the training rows; a run then makes as many steps as they take, and does not read `max_steps`."""
    per_device_train_batch_size: Positive = 8
    gradient_accumulation_steps: Positive = 1
    steps_per_generation: Positive | None = None
    """Micro-batches in a generation batch; null takes `gradient_accumulation_steps`, one generation batch per optimizer
    step, as TRL does."""
    num_generations: int = 8
    """Completions of each prompt, at least 2, since GRPO compares them with each other."""
    num_iterations: Positive = 1
    max_completion_length: Positive = 256
    temperature: Annotated[float, Field(gt=0.0)] = 1.0
    beta: Weight = 0.0
    epsilon: Weight = 0.2
    epsilon_high: Weight | None = None
    """Upper clipping range; null takes `epsilon`."""
    loss_type: Literal["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo"] = "dapo"
    scale_rewards: Literal["group", "batch", "none"] = "group"
    importance_sampling_level: Literal["token", "sequence"] = "token"
    mask_truncated_completions: bool = False
    shared_prompts: bool = True
    """Pack the completions of a prompt, or both answers of a pair, behind it, so that the model reads it once; models
    that cannot are trained unpacked, with a warning. false computes, to the bit, what TRL does."""
    tokens_per_row: Positive | None = None
    """Pack further prompts with their completions into the same row, up to this many tokens, which saves padding where
    lengths differ much, and costs attention that is computed and masked; null, and routing, take a row for each."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    lr_scheduler_type: Literal["constant", "constant_with_warmup", "linear", "cosine"] = "constant"
    weight_decay: Weight = 0.0
    max_grad_norm: Weight = 1.0
    gradient_checkpointing: bool = False
    logging_steps: Positive = 1
    save_steps: Positive = 10
    save_total_limit: Positive = 2
    seed: Seed = 0
    """Seeds the adapter, the data order and the sampling."""

    @field_validator("num_generations")
    @classmethod
    def _check_num_generations(cls, num_generations: int) -> int:
        if num_generations < 2:
            raise ValueError(
                f"got {num_generations}, but GRPO compares the completions of a prompt with each other; set 2 or more"
            )
        return num_generations

    def steps_of_epochs(self, rows: int, *, ranks: int, is_grpo: bool) -> int:
        """Return the optimizer steps of `num_train_epochs` passes over the rows, as TRL's trainers count them.

        GRPO takes whole generation batches of groups and leaves out the rows that fill none; DPO takes all pairs.
        """
        assert self.num_train_epochs is not None, "only asked where it is set"
        if is_grpo:
            micro_batches = (
                rows * self.num_generations // (self.batch_per_generation * ranks) * self.micro_steps_per_batch
            )
        else:
            micro_batches = -(-rows // (self.per_device_train_batch_size * ranks))
        per_epoch = max(1, -(-micro_batches // self.gradient_accumulation_steps))
        return math.ceil(self.num_train_epochs * per_epoch)

    @property
    def batch_per_generation(self) -> int:
        """Completions in one rank's generation batch."""
        return self.per_device_train_batch_size * (self.steps_per_generation or self.gradient_accumulation_steps)

    @property
    def micro_steps_per_batch(self) -> int:
        """Micro-steps of training on one generation batch."""
        return (self.steps_per_generation or self.gradient_accumulation_steps) * self.num_iterations

    @property
    def steps_between_generations(self) -> int:
        """Optimizer steps of training on one generation batch, rounded up."""
        return -(-self.micro_steps_per_batch // self.gradient_accumulation_steps)


DpoLoss = Literal[
    "sigmoid",
    "hinge",
    "ipo",
    "exo_pair",
    "nca_pair",
    "robust",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
    "sigmoid_norm",
]


class DpoConfig(Section):
    """DPO's loss, named as in TRL's DPOConfig; what both trainers need (learning rate, steps, ...) is in `trainer`."""

    beta: Annotated[float, Field(gt=0.0)] = 0.1
    loss_type: Annotated[tuple[DpoLoss, ...], Field(min_length=1)] = ("sigmoid",)
    loss_weights: tuple[float, ...] | None = None
    """One weight for each loss type; null weighs them equally."""
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    f_divergence_type: Literal["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] = "reverse_kl"
    f_alpha_divergence_coef: float = 0.5
    ld_alpha: Fraction | None = None
    """Weight of the longer answer's tokens beyond the shorter one's length; null treats them like the others."""
    discopop_tau: Annotated[float, Field(gt=0.0)] = 0.05
    use_weighting: bool = False
    precompute_ref_log_probs: bool = False
    max_length: Positive | None = 1024
    """Tokens of prompt and answer together; longer ones are truncated at the end."""
    disable_dropout: bool = True
