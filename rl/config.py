"""Settings: everything a run decides, with its default and its allowed values, and no torch."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from rl.trl_fields import refusals

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0.0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _written_as(pattern: str, allowed: str) -> AfterValidator:
    """A check of a text's form whose error says in words what is allowed."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"should be {allowed}, got {text!r}")
        return text

    return AfterValidator(check)


FileName = Annotated[str, _written_as(r"[A-Za-z0-9][\w.-]*", "letters, digits, '.', '_' and '-', as in a file's name")]
KindId = Annotated[str, _written_as(r"[a-z_]+:[a-z_]+", "group:name in small letters, as in own:rhyme")]
Function = Annotated[str, _written_as(r".+\.py:[A-Za-z_]\w*", "path/to/file.py:function")]


class Section(BaseModel):
    """A strict group of settings: an unknown key is an error, and a value is never rewritten."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        ser_json_inf_nan="constants",  # those of the `trl` block; the default would write null
        use_attribute_docstrings=True,
    )


class Model(Section):
    name: str = "smollm2-135m-instruct"
    """A hub name, a local folder, `smollm2-135m-instruct` (built in) or `tiny` (two random layers, for tests)."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 where the hardware multiplies it, else float32."""


class Data(Section):
    path: str | None = None
    """A JSONL or parquet file or a hub dataset in TRL's columns; null draws prompts from our own instructions."""
    held_out_path: str | None = None
    """Held-out problems for a `path` of your own; null holds out the last `held_out` rows of `path`."""
    seed: Seed = 0
    num_problems: Positive = 512
    """Training problems drawn when `path` is null."""
    held_out: Annotated[int, Field(ge=0)] = 96
    """Held-out problems the policy is scored on before and after training; 0 skips the evaluation."""
    kinds: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Constraint kinds to draw from; null draws from every kind the generator has."""
    max_constraints: Annotated[int, Field(ge=1, le=3)] = 3

    @field_validator("kinds")
    @classmethod
    def _kinds_are_known(cls, kinds: tuple[str, ...] | None) -> tuple[str, ...] | None:
        # Imported here: most starts need neither the kinds nor the wait for their libraries.
        from data.constraints import find_kind

        for kind in kinds or ():
            find_kind(kind)
        return kinds


Guard = Literal[
    "on_topic",
    "distinct_words",
    "few_repetitions",
    "length_floor",
    "prose",
    "own_words",
    "no_filler",
    "plain_characters",
    "fluent",
]
"""Names of `rewards.guards`; its docstrings say what each is for. `fluent` costs a forward pass of the base model."""


class Schedule(Section):
    """How the weight of one reward goes on; the formulas are in `rewards.balance`."""

    schedule: Literal["fixed", "rising", "decaying", "targeted"] = "fixed"
    """`rising` from 0 towards the weight, `decaying` from the weight towards 0; `targeted` up while the reward's mean
    is below its target, and down above it (dual ascent)."""
    weight: Weight = 1.0
    """`targeted`: the weight at the start."""
    speed: Annotated[float, Field(gt=0.0)] = 5.0
    """`rising` and `decaying`: the larger, the sooner; at 5 they are 99 % there when training ends."""
    target: float = 0.9
    """`targeted`: the mean of the reward that is wanted."""
    step: Annotated[float, Field(gt=0.0)] = 0.1
    """`targeted`: change of the weight for each unit of reward that is missing, once a generation batch."""
    maximum: Weight = 4.0
    """`targeted`: largest weight."""


class Rewards(Section):
    satisfaction: Literal["mean", "all", "count", "graded"] = "mean"
    """How one completion's verdicts become one reward: share satisfied, all satisfied, their number, or the share with
    near misses paid in part."""
    satisfaction_weight: Weight = 1.0
    guards: tuple[Guard, ...] = ()
    """Each is 1 for an ordinary text and falls to 0 as it collapses; the constraints' score is multiplied by the worst
    of them, so that nothing buys back what a guard takes."""
    min_words: Positive = 6
    """Guard `length_floor`: an answer of fewer words gets the share it has."""
    unfinished: Fraction = 1.0
    """What is left of the score of a completion that was cut off at `trainer.max_completion_length`; 1 is all of it."""
    fluency: tuple[float, float] = (-3.5, -6.0)
    """Guard `fluent`: the base model's mean log-probability per token of an ordinary answer, which costs nothing, and
    of a hopeless one, which is worth nothing. Each model has its own."""
    functions: tuple[Function, ...] = ()
    """Your own rewards, each `path/to/file.py:function` with TRL's signature."""
    separate: bool = False
    """One reward for each category of constraints (`content`, `format`, `language`, `length`, and `own` for yours)
    instead of one named `constraints` for all."""
    balance: dict[str, Schedule] = {}
    """Weights that change while training goes on, by the name of the reward: `constraints`, a category, a function of
    yours. Each reward is then standardised within its group before the sum (TRL's `normalize_then_sum`), so that a
    weight is a share of influence. Empty leaves all weights as they are, and the sum to TRL."""
    collapse_fall: Annotated[float, Field(gt=0.0, lt=1.0)] | None = 0.5
    """Warn, in one line, once the answers' length, entropy or share of distinct words has lost this share of what it
    was in the first steps; null never warns."""
    collapse_window: Positive = 5
    """Logged steps that are averaged before they are compared."""
    verifiers: dict[KindId, Function] = {}
    """Your own kinds of constraint: the id that constraints name, as in `own:rhyme`, and `path/to/file.py:function`
    with a verifier's signature, `(completion, *, prompt, **kwargs) -> Verdict`. It runs in a process of its own; a call
    that hangs or dies costs that verdict and one error line, a call that raises stops the run."""
    verifier_seconds: Annotated[float, Field(gt=0.0)] = 5.0
    """Longest that one call of a verifier of yours may take."""
    verifier_mebibytes: Annotated[int, Field(ge=64)] = 1024
    """Most memory (address space) that the process of a verifier of yours may take."""


def constraint_names(rewards: Rewards) -> tuple[str, ...]:
    """The names of the rewards for constraints."""
    if not rewards.satisfaction_weight:
        return ()
    if not rewards.separate:
        return ("constraints",)
    return ("content", "format", "language", "length", *(["own"] if rewards.verifiers else []))


def reward_names(rewards: Rewards) -> tuple[str, ...]:
    """The names of all rewards, in TRL's order: the constraints', then your functions'."""
    return (*constraint_names(rewards), *(reference.rpartition(":")[2] for reference in rewards.functions))


class Credit(Section):
    rule: Literal["uniform", "random", "position", "entropy", "global_anchor", "local_chunk", "coupled", "bottom"] = (
        "uniform"
    )
    q: Annotated[float, Field(gt=0.0, le=1.0)] = 0.4
    """Share of a completion's tokens that are amplified (arXiv 2510.13554 section 4: 0.4)."""
    gamma_amp: Annotated[float, Field(ge=1.0)] = 1.5
    """Weight of an amplified token before mass is preserved (same paper: 1.5)."""
    alpha: Fraction = 0.5
    """Rule `coupled`: share of a dominated anchor's bonus that goes to its introducer (the paper names no value)."""
    reach: Positive = 3
    """Rule `coupled`: how many tokens before an anchor its introducer may lie (the paper tries 1, 2 and 3)."""
    sign: Literal["both", "positive"] = "both"
    """Which advantages are reshaped; the paper's second version found both better."""
    preserve_mass: bool = True
    """Rescale each completion's weights to a mean of 1, so that step size and KL budget do not move."""
    floor: Fraction = 0.0
    """Smallest weight of a real token."""


class Probe(Section):
    listen: Literal["auto", "always"] = "auto"
    """`auto` reads attention only when the credit rule needs it."""
    layers: Annotated[tuple[int, ...], Field(min_length=1)] | None = None
    """Layers to read; null takes five evenly spaced ones of the middle third."""
    window: Positive = 10
    """W of the windowed average attention distance."""
    horizon: tuple[Positive, Positive] = (10, 100)
    """Future attention influence counts attention from this near to this far ahead, in tokens."""


class Trainer(Section):
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


class Lora(Section):
    r: Positive = 16
    alpha: Positive = 32
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    target_modules: str | tuple[str, ...] = "all-linear"
    layers: tuple[int, ...] | None = None
    """Layers to adapt; null is all. The backward pass ends at the lowest one, so the upper half costs half of it."""
    use_rslora: bool = False


class Rollouts(Section):
    workers: Literal[0] = 0
    """0 generates in the trainer's own process."""
    groups_per_unit: Positive | None = None
    """Groups sampled by one `generate` call; null takes all groups of a generation batch."""
    threads: Positive | None = None
    """Torch threads while sampling; null leaves torch's own number."""


class Distributed(Section):
    processes: Positive = 1
    """Trainer ranks, over all nodes; on GPUs, one a GPU."""
    nodes: Positive = 1
    zero: Literal[0, 1, 2, 3] = 0
    """DeepSpeed's ZeRO stage: what the ranks share instead of each keeping all of it. 1: optimizer states, 2: and
    gradients, 3: and weights."""


class Evaluation(Section):
    temperature: Weight = 0.0
    """0 is greedy."""
    samples: Positive = 1
    batch_size: Positive = 48
    every: Annotated[int, Field(ge=0)] = 0
    """Score the held-out problems every so many steps as well; 0 only before and after training."""


class Tracking(Section):
    report_to: tuple[Literal["wandb", "tensorboard", "trackio"], ...] = ()
    """Trackers besides the `metrics.jsonl` that is always written; wandb runs offline when there is no key."""
    project: str = "heed"


class Run(Section):
    name: FileName = "run"
    folder: Path | None = None
    """Where the run writes; null takes the next free `runs/<name>-<number>`."""


class Config(Section):
    """One run. `heed train RECIPE --dry-run` prints it resolved."""

    algorithm: Literal["grpo"] = "grpo"
    resume: Path | None = None
    """A run folder to continue from its newest complete checkpoint."""
    model: Model = Model()
    data: Data = Data()
    rewards: Rewards = Rewards()
    credit: Credit = Credit()
    probe: Probe = Probe()
    trainer: Trainer = Trainer()
    lora: Lora = Lora()
    rollouts: Rollouts = Rollouts()
    distributed: Distributed = Distributed()
    evaluation: Evaluation = Evaluation()
    tracking: Tracking = Tracking()
    run: Run = Run()
    trl: dict[str, object] = {}
    """Any other field of TRL's GRPOConfig, passed through after a check of its name."""

    @field_validator("trl")
    @classmethod
    def _trl_fields_are_free(cls, block: dict[str, object]) -> dict[str, object]:
        if problems := refusals(block, stated=frozenset(Trainer.model_fields)):
            raise ValueError("\n".join(problems))
        return block

    @model_validator(mode="after")
    def _settings_agree(self) -> "Config":
        # Imported here: the contradictions are written in terms of these classes.
        from rl.contradictions import contradictions

        if found := list(contradictions(self)):
            raise ValueError("\n".join(found))
        return self
