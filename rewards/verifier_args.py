"""The arguments of verifiers: their types, and a model that checks them before a verifier runs."""

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

Phrase = Annotated[str, Field(min_length=1, pattern=r"\S")]
"""Text with at least one character that is no white space."""
Phrases = Annotated[list[Phrase], Field(min_length=1)]
Character = Annotated[str, Field(min_length=1, max_length=1, pattern=r"\S")]
Letter = Annotated[str, Field(pattern=r"^\p{L}$")]
Letters = Annotated[str, Field(pattern=r"^\p{L}+$")]
Count = Annotated[int, Field(ge=0)]
"""How many; may be zero."""
Ordinal = Annotated[int, Field(ge=1)]
"""Which one, counted from 1."""

RANGES = (("minimum", "maximum"), ("first", "last"))
GIVEN_BY_THE_CALLER = ("completion", "prompt")


class Arguments(BaseModel):
    """The keyword arguments of one kind: strict types, nothing missing, nothing extra."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> "Arguments":
        for low, high in RANGES:
            if hasattr(self, low) and hasattr(self, high) and getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must not exceed {high}, got {getattr(self, low)} > {getattr(self, high)}")
        return self


def arguments_of(verifier: Callable[..., Any]) -> type[Arguments]:
    """The model of the keyword arguments in a verifier's signature."""
    hints = get_type_hints(verifier, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(verifier).parameters.items()
        if name not in GIVEN_BY_THE_CALLER
    }
    return create_model(verifier.__name__, __base__=Arguments, **fields)


def arguments_named(required: Iterable[str], optional: Iterable[str], *, others: bool) -> type[Arguments]:
    """A model of arguments of which only the names are known; `others` allows any further ones."""
    fields: dict[str, Any] = {name: (Any, ...) for name in required} | {name: (Any, None) for name in optional}
    base = _AnyArguments if others else Arguments
    return create_model("OwnArguments", __base__=base, **fields)


class _AnyArguments(Arguments):
    model_config = ConfigDict(extra="allow")


def argument_error(error: ValidationError) -> str:
    """What was wrong with the arguments, in one line."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'all'}: {item['msg'].removeprefix('Value error, ')}, "
        f"given {repr(item['input'])[:60]}"
        for item in error.errors(include_url=False)
    )
