"""Settings of `data`: the problems to train on, and those held out."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from rl.config.types import Positive, Section, Seed


class DataConfig(Section):
    """The problems to train on, and the held-out ones for evaluation."""

    path: str | None = None
    """A JSON, JSONL or parquet file or a hub dataset, of the formats in `data/README.md` (`heed data inspect FILE` says
    which); null generates prompts from built-in instructions."""
    held_out_path: str | None = None
    """Held-out problems beside `path`; null holds out its last `held_out` rows. No held-out prompt is trained on."""
    order: Literal["shuffled", "easy_first", "band"] = "shuffled"
    """Order of each epoch's problems: shuffled anew, or from the second epoch on by the mean reward that a problem's
    completions earned so far: highest first, or those within `band` first and then the nearest to it."""
    band: tuple[float, float] = (0.2, 0.8)
    """Lowest and highest mean reward of the problems that `order=band` puts first, in the units of the total reward."""
    unreadable: Literal["error", "skip"] = "error"
    """`skip` leaves out rows whose prompt or constraints cannot be read, lists them in the run's `unreadable_rows.txt`
    and counts them; `error` ends at the first."""
    seed: Seed = 0
    """Seeds the problems that are generated when `path` is null."""
    num_problems: Positive = 512
    """Training problems to generate when `path` is null."""
    held_out: Annotated[int, Field(ge=0)] = 96
    """Held-out problems to evaluate the policy on before and after training; 0 skips the evaluation."""
    kinds: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Constraint kinds to generate from; null takes every kind the generator has."""
    min_constraints: Positive = 1
    """Fewest constraints in a generated prompt; their number is drawn evenly."""
    max_constraints: Annotated[int, Field(ge=1, le=5)] = 3
    """Most constraints in a generated prompt."""

    @field_validator("kinds")
    @classmethod
    def _check_kinds(cls, kinds: tuple[str, ...] | None) -> tuple[str, ...] | None:
        # Imported here: most starts need neither the kinds nor the wait for their libraries.
        from data.constraints import find_kind

        for kind in kinds or ():
            find_kind(kind)
        return kinds
