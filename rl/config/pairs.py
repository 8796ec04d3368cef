"""Settings of `pairs`: preference pairs that DPO makes itself, round by round, from the policy's answers."""

from typing import Annotated

from pydantic import Field

from rl.config.types import Fraction, Positive, Section


class PairsConfig(Section):
    """Online DPO: in each round the policy answers problems, its answers are verified and paired, and it trains."""

    rounds: Annotated[int, Field(ge=0)] = 0
    """Rounds, each with its own share of the problems of `data` and `trainer.max_steps` optimizer steps. 0 trains once,
    on the pairs of `data.path`."""
    samples: Positive = 8
    """Answers to each problem, at `trainer.temperature`, of at most `trainer.max_completion_length` tokens."""
    minimum_gap: Fraction = 0.0
    """By how much the chosen answer must score better."""
    length_ratio: Annotated[float, Field(ge=1.0)] | None = None
    """Largest ratio of the two answers' lengths; null allows any."""
    minimal: bool = False
    """Also pair answers that differ in one constraint alone."""
