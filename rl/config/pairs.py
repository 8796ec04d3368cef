"""Settings of `pairs`: preference pairs that DPO makes by itself, round by round, from the policy's own answers."""

from typing import Annotated

from pydantic import Field

from rl.config.types import Fraction, Positive, Section


class PairsConfig(Section):
    rounds: Annotated[int, Field(ge=0)] = 0
    """Times that the policy answers a share of the problems of `data`, is judged by its constraints, and learns from
    its better and worse answers; `trainer.max_steps` is of each round. 0 trains once, on the pairs of `data.path`."""
    samples: Positive = 8
    """Answers to each problem, at `trainer.temperature`, of at most `trainer.max_completion_length` tokens."""
    minimum_gap: Fraction = 0.0
    """How much better the chosen answer must score."""
    length_ratio: Annotated[float, Field(ge=1.0)] | None = None
    """Largest ratio of the two answers' lengths; null takes any."""
    minimal: bool = False
    """Also pair answers that differ on one constraint alone."""
