"""Settings of `credit` and `probe`: which tokens get the advantage, and what is read to know it."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field

from rl.config.types import Fraction, Function, Positive, Section

Rule = Literal[
    "uniform",
    "global_anchor",
    "local_chunk",
    "coupled",
    "constraint",
    "combined",
    "random",
    "shuffled",
    "position",
    "entropy",
    "bottom",
    "all_heads",
]
"""Names in `rl.credit.catalogue`; their docstrings say what each does. The last six are controls."""
RULE_NAMES = frozenset(get_args(Rule))


class FaithfulnessConfig(Section):
    """Every so many steps, heavy spans of a few completions are replaced, and random ones for comparison."""

    every: Annotated[int, Field(ge=0)] = 0
    """Optimizer steps between two checks; 0 never checks."""
    completions: Positive = 16
    """As many as this are looked at, or all of the step if it has fewer."""
    draws: Positive = 2
    """Pairs of spans in each completion."""
    span: Positive = 2
    """Tokens of a span."""
    answer_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.25
    """The last part of a completion is its answer, whose log-prob is watched."""
    resample: bool = False
    """Also let the policy go on from the replaced spans, and compare what the verifiers say."""
    measure: Literal["logprob", "verdict"] = "logprob"
    """What decides."""
    threshold: float = 0.0
    """Heavy spans must matter more than random ones by this much, at the lower end of a 95 % interval; else the rule
    gives way to `uniform` until the next check."""


class CreditConfig(Section):
    rule: Rule | Function = "uniform"
    """A rule by name, or your own as `path/to/file.py:function`, which gets a `View` and an `RuleParams`."""
    base: Literal["global_anchor", "local_chunk", "coupled"] = "coupled"
    """Rules `shuffled` and `all_heads`: what they are the control of."""
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
    readings: Literal["raw", "residual"] = "raw"
    """`residual` reads each head as the difference to what `probe.baseline` expects of it at that place."""
    sign: Literal["both", "positive"] = "both"
    """Which advantages are reshaped; the paper's second version found both better."""
    preserve_mass: bool = True
    """Rescale each completion's weights to a mean of 1, so that step size and KL budget do not move."""
    floor: Fraction = 0.0
    """Smallest weight of a real token."""
    faithfulness: FaithfulnessConfig = FaithfulnessConfig()


class ProbeConfig(Section):
    listen: Literal["auto", "always"] = "auto"
    """`auto` reads what the credit rule needs; `always` the rhythm and the attention to each constraint as well."""
    layers: Annotated[tuple[int, ...], Field(min_length=1)] | None = None
    """Layers to read; null takes those of `roles`, or five evenly spaced ones of the middle third."""
    roles: Path | None = None
    """Head roles, as `heed probe calibrate` saves them: WAAD from the local heads, FAI from the global ones; null reads
    both from all heads."""
    baseline: Path | None = None
    """A null baseline, for `credit.readings=residual`."""
    every: Positive = 1
    """Read in the optimizer steps that this divides; in the others, rules that need readings weigh all tokens alike."""
    source: Literal["loss", "separate"] = "loss"
    """Read from the loss's own forward pass, or from one more pass over each generation batch before it is trained."""
    window: Positive = 10
    """W of the windowed average attention distance."""
    horizon: tuple[Positive, Positive] = (10, 100)
    """Future attention influence counts attention from this near to this far ahead, in tokens."""
