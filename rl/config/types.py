"""Types of settings: the base class of all sections, and constrained kinds of value."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0.0)]
Seconds = Annotated[float, Field(gt=0.0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _matching(pattern: str, allowed: str) -> AfterValidator:
    """Return a check against a regular expression whose error says in words what is allowed."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"should be {allowed}, got {text!r}")
        return text

    return AfterValidator(check)


FileName = Annotated[str, _matching(r"[A-Za-z0-9][\w.-]*", "letters, digits, '.', '_' and '-', as in a file's name")]
Address = Annotated[str, _matching(r"https?://\S+", "an http:// or https:// address, as in http://127.0.0.1:8000")]
KindId = Annotated[str, _matching(r"[a-z_]+:[a-z_]+", "group:name in small letters, as in own:rhyme")]
TemplateName = Annotated[str, _matching(r"[A-Za-z_]\w*", "the name of a template's variable, as in enable_thinking")]
Function = Annotated[str, _matching(r".+\.py:[A-Za-z_]\w*", "path/to/file.py:function")]


class Section(BaseModel):
    """A strict group of settings: an unknown key is an error, and a value is never rewritten."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        ser_json_inf_nan="constants",  # those of the `trl` block; the default would write null
        use_attribute_docstrings=True,
    )
