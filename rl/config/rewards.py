"""Settings of `rewards`: what is rewarded, the guards against degenerate text, and how several rewards are weighed."""

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
"""Names in `rewards.guards`, which say what each measures. `fluent` costs a forward pass of the base model."""


class ScheduleConfig(Section):
    """How the weight of one reward changes during training; the formulas are in `rewards/reward_weights.py`."""

    schedule: Literal["fixed", "rising", "decaying", "targeted"] = "fixed"
    """`rising` goes from 0 to the weight, `decaying` from the weight to 0; `targeted` goes up while the reward's mean
    is below its target, and down above it (dual ascent)."""
    weight: Weight = 1.0
    """The weight; for `targeted`, its value at the start."""
    speed: Annotated[float, Field(gt=0.0)] = 5.0
    """`rising` and `decaying`: the larger, the sooner; with 5 the change is 99 % done when training ends."""
    target: float = 0.9
    """`targeted`: the mean that the reward should have."""
    step: Annotated[float, Field(gt=0.0)] = 0.1
    """`targeted`: change of the weight, after each generation batch, per unit of reward that is missing."""
    maximum: Weight = 4.0
    """`targeted`: the largest weight."""


class ThoughtBudgetConfig(Section):
    """A reward, `thought_budget`, of 0 for a short thought, which falls to -1 at twice as many tokens as allowed."""

    tokens: Positive = 256
    """The longest thought that costs nothing."""
    weight: Weight = 1.0
    """Weight of the reward."""


class RewardsConfig(Section):
    """The rewards of a completion: for its constraints, and by functions of the user."""

    satisfaction: Literal["mean", "all", "count", "graded"] = "mean"
    """How a completion's verdicts become one reward: the share satisfied, 1 if all are satisfied, the number satisfied,
    or the share with partial reward for near misses."""
    semantics: Literal["reward", "eval"] = "reward"
    """How constraints of published benchmarks are verified: `reward` checks what their sentences say, so that empty or
    disguised text earns nothing; `eval` what IFEval's and IFBench's own checkers do, to the letter, for figures to
    compare with published ones. `heed eval --data` always uses `eval`."""
    satisfaction_weight: Weight = 1.0
    """Weight of the reward for constraints; 0 leaves it out."""
    guards: tuple[Guard, ...] = ()
    """Each guard is 1 for ordinary text and falls to 0 for degenerate text; the reward for constraints is multiplied by
    the smallest guard, so that no other reward makes up for it."""
    min_words: Positive = 6
    """Guard `length_floor`: a completion of fewer words gets the share of this number that it has."""
    unfinished: Fraction = 1.0
    """Factor on the reward of a completion that was cut off at `trainer.max_completion_length`; 1 keeps all of it."""
    fluency: tuple[float, float] = (-5.3, -7.5)
    """Guard `fluent`: the base model's mean log-prob per token above which the guard is 1 (ordinary text), and below
    which it is 0 (hopeless text). Every base model has its own: `heed data calibrate-guards` measures
    them; these are those of `smollm2-135m-instruct` on 63 honest answers."""
    functions: tuple[Function, ...] = ()
    """Your reward functions, each `path/to/file.py:function` with TRL's signature; they are called with copies, which
    they may edit. A reward is None where it does not apply, else finite and at most 1e15 in size. With
    `model.reasoning` completions are answers, beside which the columns `thought` and `thought_tokens` stand."""
    thought_budget: ThoughtBudgetConfig | None = None
    """A penalty for long thoughts, with `model.reasoning`; null gives none."""
    separate: bool = False
    """Give one reward for each category of constraints (`content`, `format`, `language`, `length`, and `own` for yours)
    instead of one for all, `constraints`."""
    balance: dict[str, ScheduleConfig] = Field(default_factory=dict)
    """Weights that change during training, by the name of the reward: `constraints`, a category or one of your
    functions. Each reward is then standardised within its group before the sum (TRL's `normalize_then_sum`), so that a
    weight is a share of influence. Empty keeps all weights constant, and TRL sums as `trl` says."""
    collapse_fall: Annotated[float, Field(gt=0.0, lt=1.0)] | None = 0.5
    """Warn once the completions' length, entropy or share of distinct words has lost this share of its value in the
    first steps; null never warns."""
    collapse_window: Positive = 5
    """Logged steps to average before comparing."""
    standstill_steps: Positive | None = 10
    """Warn once as many steps in a row had no group whose completions differ in reward, so that the rewards taught
    nothing; null never warns."""
    verifiers: dict[KindId, Function] = Field(default_factory=dict)
    """Your constraint kinds: an id, as in `own:rhyme`, and `path/to/file.py:function` with a verifier's signature,
    `(completion, *, prompt, **kwargs) -> Verdict`. It runs in a separate process: a call that hangs or crashes the
    process loses that verdict and logs an error, a call that raises stops the run."""
    verifier_seconds: Annotated[float, Field(gt=0.0)] = 5.0
    """Time limit for one call of your verifiers."""
    verifier_mebibytes: Annotated[int, Field(ge=64)] = 1024
    """Memory limit (address space) of each process that runs your verifiers."""


def constraint_names(rewards: RewardsConfig) -> tuple[str, ...]:
    """Return the names of the rewards for constraints."""
    if not rewards.satisfaction_weight:
        return ()
    if not rewards.separate:
        return ("constraints",)
    return ("content", "format", "language", "length", *(["own"] if rewards.verifiers else []))


def reward_names(rewards: RewardsConfig) -> tuple[str, ...]:
    """Return the names of all rewards, in TRL's order: those for constraints, for thoughts, the user's functions."""
    thoughts = () if rewards.thought_budget is None else ("thought_budget",)
    return (*constraint_names(rewards), *thoughts, *(reference.rpartition(":")[2] for reference in rewards.functions))
