"""Chat template: the user's values for its variables, such as `enable_thinking`, bound in it once for every prompt."""

import re
from collections.abc import Mapping
from typing import Any

from rl.common.errors import UserError

GIVEN = ("messages", "tools", "documents", "add_generation_prompt", "continue_final_message")
"""Names that whoever renders a prompt gives the template."""


def bound_template(template: str, values: Mapping[str, Any], *, model: str) -> str:
    """Return a template that begins by setting its variables, so that no caller needs to know of them.

    Without values it is the template itself. Raises UserError for a name that the template does not read.
    """
    for name in values:
        if name in GIVEN or not re.search(rf"\b{re.escape(name)}\b", template):
            raise UserError(
                f"model.chat_template_kwargs.{name}: the chat template of {model} reads no such variable; it must be "
                "one that the template asks for, as enable_thinking in Qwen3's"
            )
    # Python's literals are Jinja's, too; `+%}` keeps a line break with which the template may begin.
    return "".join(f"{{% set {name} = {value!r} +%}}" for name, value in values.items()) + template


def bind_template(tokenizer: Any, values: Mapping[str, Any], *, model: str) -> None:
    """Bind values in each chat template of a tokenizer. Raises UserError when it has none to bind them in."""
    if not values:
        return
    template = tokenizer.chat_template
    if template is None:
        raise UserError(f"model.chat_template_kwargs={dict(values)}: the tokenizer of {model} has no chat template")
    templates = template if isinstance(template, dict) else {"default": template}
    bound = {name: bound_template(text, values, model=model) for name, text in templates.items()}
    tokenizer.chat_template = bound if isinstance(template, dict) else bound["default"]
