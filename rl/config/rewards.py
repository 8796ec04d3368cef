"""Settings of `rewards`: what is paid, what guards it, how several rewards share."""

from typing import Annotated, Literal

from pydantic import Field

from rl.config.types import Fraction, Function, KindId, Positive, Section, Weight

Guard = Literal[
    "on_topic",
    "distinct_words",
    "few_repetitions",
    "length_floor",
    "prose",
    "not_echo",
    "no_filler",
    "plain_characters",
    "fluent",
]
"""Names of `rewards.guards`; its docstrings say what each is for. `fluent` costs a forward pass of the base model."""


class ScheduleConfig(Section):
    """How the weight of one reward goes on; the formulas are in `rewards/reward_weights.py`."""

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


class RewardsConfig(Section):
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
    balance: dict[str, ScheduleConfig] = Field(default_factory=dict)
    """Weights that change while training goes on, by the name of the reward: `constraints`, a category, a function of
    yours. Each reward is then standardised within its group before the sum (TRL's `normalize_then_sum`), so that a
    weight is a share of influence. Empty leaves all weights as they are, and the sum to TRL."""
    collapse_fall: Annotated[float, Field(gt=0.0, lt=1.0)] | None = 0.5
    """Warn, in one line, once the answers' length, entropy or share of distinct words has lost this share of what it
    was in the first steps; null never warns."""
    collapse_window: Positive = 5
    """Logged steps that are averaged before they are compared."""
    verifiers: dict[KindId, Function] = Field(default_factory=dict)
    """Your own kinds of constraint: the id that constraints name, as in `own:rhyme`, and `path/to/file.py:function`
    with a verifier's signature, `(completion, *, prompt, **kwargs) -> Verdict`. It runs in a process of its own; a call
    that hangs or dies costs that verdict and one error line, a call that raises stops the run."""
    verifier_seconds: Annotated[float, Field(gt=0.0)] = 5.0
    """Longest that one call of a verifier of yours may take."""
    verifier_mebibytes: Annotated[int, Field(ge=64)] = 1024
    """Most memory (address space) that the process of a verifier of yours may take."""


def constraint_names(rewards: RewardsConfig) -> tuple[str, ...]:
    """The names of the rewards for constraints."""
    if not rewards.satisfaction_weight:
        return ()
    if not rewards.separate:
        return ("constraints",)
    return ("content", "format", "language", "length", *(["own"] if rewards.verifiers else []))


def reward_names(rewards: RewardsConfig) -> tuple[str, ...]:
    """The names of all rewards, in TRL's order: the constraints', then your functions'."""
    return (*constraint_names(rewards), *(reference.rpartition(":")[2] for reference in rewards.functions))
