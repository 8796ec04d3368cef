"""Error messages: what pydantic found wrong with a config, as sentences that name the dotted key and the way out."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rl.config.root import Config
from rl.config.trl_fields import trl_fields

REWORDED = {"a valid array": "a list", "an object": "a group of settings", " after validation": ""}
"""Pydantic speaks of JSON and Python; a recipe is YAML."""

RENAMED = {
    "credit.calm_quantile": "credit.waad_quantile",
    "credit.jump_quantile": "credit.delta_quantile",
}
"""Former key -> its name today."""
RENAMED_VALUES = {("rewards.guards", "own_words"): "not_echo"}
"""A key and a former value of it -> the value's name today."""


@cache
def dotted_keys() -> tuple[str, ...]:
    """Every key an override can set, as in `trainer.learning_rate`; `trl` stands for its whole block."""
    return tuple(_dotted(Config))


def _dotted(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _dotted(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
            for item in get_args(field.annotation):  # of a mapping of groups, whose names are the user's
                if isinstance(item, type) and issubclass(item, BaseModel):
                    yield from _dotted(item, f"{prefix}{name}.*.")


def error_messages(error: ValidationError) -> list[str]:
    """One sentence for each problem; a value that fits no arm of a union is a single problem."""
    found: dict[str, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_key(detail["loc"]), []).append(detail)
    return [
        _sentence(key, details)
        for key, details in found.items()
        # Of a union, the arm that got as far as a list's items says more than the arm that refused the list.
        if not any(other.startswith(f"{key}[") for other in found)
    ]


def _key(location: tuple[str | int, ...]) -> str:
    """The dotted key of a pydantic location, as in `probe.horizon[1]`; pydantic also names the arm of a union."""
    for end in range(len(location), 0, -1):
        key = ".".join(str(part) for part in location[:end])
        if any(other.startswith(f"{key}.*.") for other in dotted_keys()):
            return ".".join(str(part) for part in location)
        if key in dotted_keys():
            return key + "".join(f"[{part}]" for part in location[end:] if isinstance(part, int))
    return ".".join(str(part) for part in location)


def _sentence(key: str, details: list[ErrorDetails]) -> str:
    first = details[0]
    match first["type"]:
        case "extra_forbidden" if key in RENAMED:
            return f"{key} is now called {RENAMED[key]}"
        case "extra_forbidden":
            return f"{key}: unknown key; {_nearest_key(key)}"
        case "value_error":
            told = str(first.get("ctx", {})["error"])
            return told if key in ("", "trl") else f"{key}: {told}"
    if renamed := RENAMED_VALUES.get((key.partition("[")[0], str(first["input"]))):
        return f"{key}: {first['input']!r} is now called {renamed!r}"
    allowed = " or ".join(dict.fromkeys(_allowed(detail) for detail in details))
    return f"{key}: {allowed}, got {_shown(first['input'])}{_nearest_word(first)}"


def _allowed(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "is missing"
    words = detail["msg"]
    for theirs, ours in REWORDED.items():
        words = words.replace(theirs, ours)
    # What a check of ours was given is said once, at the end of the sentence.
    return words[words.index("should") :].removesuffix(f", got {detail['input']!r}")


def _shown(value: object) -> str:
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else repr(value)


def _nearest_word(detail: ErrorDetails) -> str:
    """A suggestion where the allowed values are listed."""
    words = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
    near = get_close_matches(str(detail["input"]), words, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _nearest_key(key: str) -> str:
    """The key most likely meant: of that name in another section, one of TRL's own, or spelt alike."""
    name = key.rpartition(".")[2]
    namesakes = [other for other in dotted_keys() if other.rpartition(".")[2] == name]
    if namesakes:
        return f"did you mean {namesakes[0]}?"
    if name in trl_fields():
        return f"TRL's own settings go under trl; did you mean trl.{name}?"
    section, siblings = key.removesuffix(name), _names_beside(key)
    if near := get_close_matches(name, siblings, n=1):
        return f"did you mean {section}{near[0]}?"
    return f"allowed here: {', '.join(siblings)}"


def _names_beside(key: str) -> list[str]:
    """The names of the settings in a key's own section, or of the sections themselves."""
    section = key.rpartition(".")[0]
    if not section:
        return list(Config.model_fields)
    if section.rpartition(".")[0] in dotted_keys():
        section = f"{section.rpartition('.')[0]}.*"
    return [other.rpartition(".")[2] for other in dotted_keys() if other.rpartition(".")[0] == section]
