"""The problems that are trained on and held out."""

from typing import Annotated

from pydantic import Field, field_validator

from rl.config.types import Positive, Section, Seed


class DataConfig(Section):
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
