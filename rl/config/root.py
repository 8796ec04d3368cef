"""The whole config of a run: its sections, none of which contradicts another."""

from pydantic import model_validator

from rl.config.checks.general import contradictions
from rl.config.sections import Sections


class Config(Sections):
    """All settings of one run; `heed train RECIPE --dry-run` prints them."""

    @model_validator(mode="after")
    def _check_contradictions(self) -> "Config":
        if problems := list(contradictions(self)):
            raise ValueError("\n".join(problems))
        return self
