"""Verifier arguments: their types, and the pydantic models that check them before a verifier runs."""

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model, model_validator

Phrase = Annotated[str, Field(min_length=1, pattern=r"\S")]
"""Text with at least one character that is not white space."""
Phrases = Annotated[list[Phrase], Field(min_length=1)]
Character = Annotated[str, Field(min_length=1, max_length=1, pattern=r"\S")]
Letter = Annotated[str, Field(pattern=r"^\p{L}$")]
Letters = Annotated[str, Field(pattern=r"^\p{L}+$")]


def _whole(value: Any) -> Any:
    """Return 3 for 3.0, which data frames and JSON writers make of a whole number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
Count = Annotated[Whole, Field(ge=0)]
"""A number of things; may be zero."""
Ordinal = Annotated[Whole, Field(ge=1)]
"""A position, counted from 1."""

RANGE_ARGUMENTS = (
    ("minimum", "maximum"),
    ("min_words", "max_words"),
    ("first", "last"),
    ("n_start", "n_end"),
    ("nth_paragraph", "num_paragraphs"),
)
"""Pairs of arguments of which the first must not exceed the second."""
CALLER_ARGUMENTS = ("completion", "prompt", "semantics")
"""Parameters of a verifier that the caller fills, not the constraint."""


class VerifierArguments(BaseModel):
    """The keyword arguments of one kind: strict types, nothing missing, nothing extra."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> "VerifierArguments":
        names = {*type(self).model_fields, *(self.model_extra or ())}
        for low, high in RANGE_ARGUMENTS:
            if low in names and high in names and getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must not exceed {high}, got {getattr(self, low)} > {getattr(self, high)}")
        return self


def arguments_model(verifier: Callable[..., Any]) -> type[VerifierArguments]:
    """Return the model of the keyword arguments in a verifier's signature."""
    hints = get_type_hints(verifier, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(verifier).parameters.items()
        if name not in CALLER_ARGUMENTS
    }
    return create_model(verifier.__name__, __base__=VerifierArguments, **fields)


def model_of_argument_names(
    required: Iterable[str], optional: Iterable[str], *, accepts_any: bool
) -> type[VerifierArguments]:
    """Return a model of arguments of which only the names are known; `accepts_any` allows any further ones."""
    fields: dict[str, Any] = {name: (Any, ...) for name in required} | {name: (Any, None) for name in optional}
    base = _OpenArguments if accepts_any else VerifierArguments
    return create_model("CustomVerifierArguments", __base__=base, **fields)


class _OpenArguments(VerifierArguments):
    model_config = ConfigDict(extra="allow")


def argument_error(error: ValidationError) -> str:
    """Describe what is wrong with the arguments in one line."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'all'}: {item['msg'].removeprefix('Value error, ')}, "
        f"got {repr(item['input'])[:60]}"
        for item in error.errors(include_url=False)
    )
