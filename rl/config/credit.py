"""Settings of `credit` and `probe`: which tokens get the advantage, and what is recorded to know it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from rl.config.credit_rules import BASES, CREDIT_RULES, credit_rule
from rl.config.types import Fraction, Function, Positive, Section

if TYPE_CHECKING:  # a type checker cannot read names out of a table
    RuleName = BaseName = str
else:
    RuleName = Literal[tuple(CREDIT_RULES)]
    BaseName = Literal[BASES]


Region = Literal["all", "answer", "thought"]
"""The parts of a completion that may get credit."""


class FaithfulnessConfig(Section):
    """Compare, every so many steps, what replacing heavy spans of a few completions does with replacing random ones."""

    every: Annotated[int, Field(ge=0)] = 0
    """Optimizer steps between two checks; 0 never checks."""
    completions: Positive = 16
    """Completions that are checked, or all of the step if it has fewer."""
    draws: Positive = 2
    """Pairs of spans in each completion."""
    span: Positive = 2
    """Tokens of a span."""
    answer_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.25
    """Share of a completion that is its answer, at the end; the check measures its log-prob."""
    resample: bool = False
    """Also let the policy continue from the replaced spans, and compare the verdicts."""
    measure: Literal["logprob", "verdict"] = "logprob"
    """Which effect decides."""
    threshold: float = 0.0
    """Heavy spans must matter more than random ones by this much, at the lower end of a 95 % interval; else the rule
    gives way to `uniform` until the next check."""


class CreditConfig(Section):
    """How a completion's advantage is shared among its tokens."""

    rule: RuleName | Function = "uniform"
    """A rule by name, or your own as `path/to/file.py:function`, which gets `CreditInputs` and `RuleParams`."""
    base: BaseName = "coupled"
    """Rules `shuffled` and `all_heads`: the rule that they are the control of."""
    q: Annotated[float, Field(gt=0.0, le=1.0)] = 0.4
    """Share of a completion's tokens that are amplified (arXiv 2510.13554 section 4: 0.4)."""
    gamma_amp: Annotated[float, Field(ge=1.0)] = 1.5
    """Weight of an amplified token before mass is preserved (same paper: 1.5)."""
    alpha: Fraction = 0.5
    """Rule `coupled`: share of a dominated anchor's bonus that goes to its introducer (the paper names no value)."""
    reach: Positive = 3
    """Rule `coupled`: how many tokens before an anchor its introducer may lie (the paper tries 1, 2 and 3)."""
    waad_quantile: Fraction = 0.5
    """Rule `coupled`: an anchor is dominated only where its WAAD is at most this quantile of its completion's."""
    delta_quantile: Fraction = 0.5
    """Rule `coupled`: and only where a jump of WAAD before it is at least this quantile."""
    without_evidence: Literal["text", "attention"] = "text"
    """Rule `constraint`: which tokens answer for a constraint that failed and left no evidence, as a missing word does:
    the whole text alike, or those that attend to the passage that states it."""
    readings: Literal["raw", "residual"] = "raw"
    """`residual` reads each head as the difference to what `probe.baseline` expects of it at that position."""
    sign: Literal["both", "positive"] = "both"
    """Which advantages are reshaped; the paper's second version found both better."""
    evidence_weight: Annotated[float, Field(gt=0.0)] = 4.0
    """Rule `constraint` without `preserve_mass`: weight of each token of evidence, or T/k of k among T if that is less;
    tokens of a channel without evidence weigh 1."""
    preserve_mass: bool | None = None
    """Rescale each completion's weights to a mean of 1, so that step size and KL budget do not move; null does, but for
    rules that need evidence in GRPO: one token of evidence would weigh as much as its completion is long, so that
    failing in few words would be cheaper than in many."""
    floor: Fraction = 0.0
    """Smallest weight of a real token."""
    region: Region = "all"
    """Which tokens of a thinking model's completion get credit (`model.reasoning`): all, its answer's or its thought's.
    The rule shares the advantage among these, at a mean weight of 1; the others get none."""
    faithfulness: FaithfulnessConfig = FaithfulnessConfig()


def preserves_mass(credit: CreditConfig, algorithm: Literal["grpo", "dpo"] = "grpo") -> bool:
    """Return whether a completion's weights are rescaled to a mean of 1 in every channel."""
    if credit.preserve_mass is not None:
        return credit.preserve_mass
    return algorithm == "dpo" or "evidence" not in credit_rule(credit.rule).needs


class ProbeConfig(Section):
    """What the probe records of the policy's attention, when and how."""

    listen: Literal["auto", "always"] = "auto"
    """`auto` records what the credit rule needs; `always` FAI, WAAD, the attention to each constraint, and where the
    completion's segments end, so that `heed report` shows which constraint each of them attends to."""
    indicators: bool = False
    """Also log entropy, concentration, head diversity, sink mass and local focus of the layers read."""
    indicator_change: Annotated[float, Field(gt=0.0)] | None = 0.5
    """Warn when an indicator has moved by this share of what it was in the first steps; null never warns."""
    layers: Annotated[tuple[int, ...], Field(min_length=1)] | None = None
    """Layers to read; null takes those of `roles`, or five evenly spaced ones of the middle third."""
    roles: Path | None = None
    """Head roles, as `heed probe calibrate` saves them: WAAD from the local heads, FAI from the global ones; null reads
    both from all heads."""
    baseline: Path | None = None
    """A null baseline, for `credit.readings=residual`."""
    every: Positive = 1
    """Record in optimizer steps that this divides; in the others, rules that need readings weigh all tokens alike."""
    source: Literal["loss", "separate"] = "loss"
    """Read from the loss's own forward pass, or from one more pass over each generation batch before it is trained."""
    window: Positive = 10
    """W of the windowed average attention distance."""
    horizon: tuple[Positive, Positive] = (10, 100)
    """Future attention influence counts attention from this near to this far ahead, in tokens."""
