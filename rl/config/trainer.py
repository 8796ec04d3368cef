"""Settings of `trainer` and `dpo`, named as in TRL wherever TRL has the field."""

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


class TrainerConfig(Section):
    """Named as in TRL's GRPOConfig wherever TRL has the field."""

    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-5
    max_steps: Positive = 100
    per_device_train_batch_size: Positive = 8
    gradient_accumulation_steps: Positive = 1
    steps_per_generation: Positive | None = None
    """Null means one generation batch per optimizer step (TRL's default: gradient_accumulation_steps)."""
    num_generations: int = 8
    """Completions of each prompt; they are compared with each other, so there are at least 2."""
    num_iterations: Positive = 1
    max_completion_length: Positive = 256
    temperature: Annotated[float, Field(gt=0.0)] = 1.0
    beta: Weight = 0.0
    epsilon: Weight = 0.2
    epsilon_high: Weight | None = None
    """Upper clip range; null takes `epsilon`."""
    loss_type: Literal["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo"] = "dapo"
    scale_rewards: Literal["group", "batch", "none"] = "group"
    importance_sampling_level: Literal["token", "sequence"] = "token"
    mask_truncated_completions: bool = False
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
    def _groups_compare(cls, num_generations: int) -> int:
        if num_generations < 2:
            raise ValueError(
                f"got {num_generations}, but GRPO compares the completions of a prompt with each other; set 2 or more"
            )
        return num_generations

    @property
    def batch_per_generation(self) -> int:
        """Completions that one rank samples at a time."""
        return self.per_device_train_batch_size * (self.steps_per_generation or self.gradient_accumulation_steps)

    @property
    def micro_steps_per_batch(self) -> int:
        """Micro-steps that one generation batch is trained for."""
        return (self.steps_per_generation or self.gradient_accumulation_steps) * self.num_iterations

    @property
    def steps_between_generations(self) -> int:
        """Optimizer steps that one generation batch is trained for, rounded up."""
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
    """Named as in TRL's DPOConfig; what both trainers have (learning rate, steps, batch) is under `trainer`."""

    beta: Annotated[float, Field(gt=0.0)] = 0.1
    loss_type: Annotated[tuple[DpoLoss, ...], Field(min_length=1)] = ("sigmoid",)
    loss_weights: tuple[float, ...] | None = None
    """One for each loss type; null weighs them alike."""
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    f_divergence_type: Literal["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] = "reverse_kl"
    f_alpha_divergence_coef: float = 0.5
    ld_alpha: Fraction | None = None
    """Weight of the tokens beyond the shorter answer's length; null does not set them apart."""
    discopop_tau: Annotated[float, Field(gt=0.0)] = 0.05
    use_weighting: bool = False
    precompute_ref_log_probs: bool = False
    max_length: Positive | None = 1024
    """Tokens of prompt and answer together; longer ones are cut at the end."""
    disable_dropout: bool = True
