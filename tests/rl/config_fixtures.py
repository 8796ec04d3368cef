"""Helpers for tests of the config."""

import pytest
from pydantic import ValidationError

from rl.config.root import Config


def problems(**sections: object) -> list[str]:
    """Return the sentences of a refused config, without the text that pydantic puts around them."""
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(sections)
    return [line for detail in caught.value.errors() for line in str(detail.get("ctx", {})["error"]).splitlines()]
