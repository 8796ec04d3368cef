"""Environment variables in a recipe: `${oc.env:NAME}` and `${oc.env:NAME,default}`, as OmegaConf writes them."""

import os
import re
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

from rl.common.errors import UserError

VARIABLE = re.compile(r"\$\{oc\.env:(?P<name>[A-Za-z_]\w*)(?P<comma>,(?P<default>[^${}]*))?\}")


def with_variables(value: Any, key: str = "") -> Any:
    """Return a recipe's tree with the environment's values in it; a value that is one variable may be a number.

    Raises UserError, naming the setting, for a variable that is not set and for any other interpolation.
    """
    if isinstance(value, dict):
        return {name: with_variables(item, f"{key}.{name}".strip(".")) for name, item in value.items()}
    if isinstance(value, list):
        return [with_variables(item, f"{key}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    if "${" in VARIABLE.sub("", value):
        raise UserError(f"{key}: only ${{oc.env:NAME}} and ${{oc.env:NAME,default}} are replaced, got {value!r}")
    text = VARIABLE.sub(lambda match: _variable(match, key), value)
    return _scalar(text) if VARIABLE.fullmatch(value) else text


def _variable(match: re.Match[str], key: str) -> str:
    name, default = match["name"], match["default"]
    if name not in os.environ and not match["comma"]:
        raise UserError(
            f"{key}: the environment variable {name} is not set; set it, or give a default: ${{oc.env:{name},default}}"
        )
    return os.environ.get(name, (default or "").strip())


def _scalar(text: str) -> Any:
    """Return the number, truth value or null that the text is in YAML, or else the text."""
    try:
        tree: Any = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]), resolve=False)
    except YAMLError:
        return text
    return tree["value"] if isinstance(tree["value"], int | float) or text == "null" else text
