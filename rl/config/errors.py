"""Error messages: pydantic's validation errors as sentences that name the dotted key and what to do."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rl.config.root import Config
from rl.config.trl_fields import field_refusal, trl_fields

REWORDED = {"a valid array": "a list", "an object": "a group of settings", " after validation": ""}
"""Pydantic's words for JSON and Python -> words for YAML."""

RENAMED = {
    "credit.calm_quantile": "credit.waad_quantile",
    "credit.jump_quantile": "credit.delta_quantile",
}
"""Former key -> its name now."""
RENAMED_VALUES = {("rewards.guards", "own_words"): "not_echo"}
"""Key and former value -> the value's name now."""


@cache
def dotted_keys() -> tuple[str, ...]:
    """Return every key an override can set, as in `trainer.learning_rate`; `trl` stands for its whole block."""
    return tuple(_dotted(Config))


def _dotted(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _dotted(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
            for item in get_args(field.annotation):  # a mapping of groups, whose names the user chooses
                if isinstance(item, type) and issubclass(item, BaseModel):
                    yield from _dotted(item, f"{prefix}{name}.*.")


def error_messages(error: ValidationError) -> list[str]:
    """Return one sentence for each problem; a value that fits no member of a union is a single problem."""
    problems: dict[str, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        problems.setdefault(_key(detail["loc"]), []).append(detail)
    return [
        _sentence(key, details)
        for key, details in problems.items()
        # In a union, the error about a list's items says more than the error of the member that takes no list.
        if not any(other.startswith(f"{key}[") for other in problems)
    ]


def _key(location: tuple[str | int, ...]) -> str:
    """Return the dotted key of a pydantic location, as in `probe.horizon[1]`, without the union member it ends with."""
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
            message = str(first.get("ctx", {})["error"])
            return message if key in ("", "trl") else f"{key}: {message}"
    if renamed := RENAMED_VALUES.get((key.partition("[")[0], str(first["input"]))):
        return f"{key}: {first['input']!r} is now called {renamed!r}"
    allowed = " or ".join(dict.fromkeys(_allowed(detail) for detail in details))
    return f"{key}: {allowed}, got {_shown(first['input'])}{_nearest_word(first)}"


def _allowed(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "is missing"
    message = detail["msg"]
    for theirs, ours in REWORDED.items():
        message = message.replace(theirs, ours)
    # The caller adds the given value at the end of the sentence.
    return message[message.index("should") :].removesuffix(f", got {detail['input']!r}")


def _shown(value: object) -> str:
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else repr(value)


def _nearest_word(detail: ErrorDetails) -> str:
    """Return a suggestion if pydantic lists the allowed values."""
    words = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
    near = get_close_matches(str(detail["input"]), words, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _nearest_key(key: str) -> str:
    """Return a hint: the key of that name in another section, TRL's field of that name, or a key spelt similarly."""
    name = key.rpartition(".")[2]
    same_name = [other for other in dotted_keys() if other.rpartition(".")[2] == name]
    if same_name:
        return f"did you mean {same_name[0]}?"
    if reason := field_refusal(name):
        return reason
    if name in trl_fields():
        return f"TRL's other settings go under trl; did you mean trl.{name}?"
    section, siblings = key.removesuffix(name), _names_beside(key)
    if near := get_close_matches(name, siblings, n=1):
        return f"did you mean {section}{near[0]}?"
    return f"allowed here: {', '.join(siblings)}"


def _names_beside(key: str) -> list[str]:
    """Return the names of the settings in a key's section, or of the sections themselves."""
    section = key.rpartition(".")[0]
    if not section:
        return list(Config.model_fields)
    if section.rpartition(".")[0] in dotted_keys():
        section = f"{section.rpartition('.')[0]}.*"
    return [other.rpartition(".")[2] for other in dotted_keys() if other.rpartition(".")[0] == section]
