"""TRL rewards: turns a reward for one text into a reward function with TRL's signature for a batch."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rewards.errors import InputError

Message = Mapping[str, Any]
Text = str | Sequence[Message]
"""A string, or chat messages as TRL passes them for conversational data."""


def text_of(text: Text) -> str:
    """Return the string itself, or the contents of the messages joined by line feeds."""
    return text if isinstance(text, str) else "\n".join(str(message["content"] or "") for message in text)


def batch_reward(function: Callable[..., float | None]) -> Callable[..., list[float | None]]:
    """Return a TRL reward function that calls `function(completion, **arguments)` for each row.

    The arguments are the parameters that `function` declares after the first: `prompt` is the prompt's text, any other
    name the dataset column (or other keyword) that TRL passes under it; lists as long as the batch are distributed row
    by row. The name stays, so that TRL logs `rewards/{name}/mean`. None = no signal; an exception stops the run.
    """
    _, *parameters = inspect.signature(function).parameters.values()

    @functools.wraps(function)
    def rewards(prompts: Sequence[Text], completions: Sequence[Text], **columns: Any) -> list[float | None]:
        available = {"prompt": [text_of(prompt) for prompt in prompts], **columns}
        missing = [p.name for p in parameters if p.default is p.empty and p.name not in available]
        if missing:
            raise InputError(f"{function.__name__} needs the columns {missing}; this batch has {sorted(available)}")
        arguments = {p.name: available[p.name] for p in parameters if p.name in available}
        return [
            function(
                text_of(completion), **{name: _row(value, row, len(completions)) for name, value in arguments.items()}
            )
            for row, completion in enumerate(completions)
        ]

    return rewards


def _row(value: Any, row: int, size: int) -> Any:
    return value[row] if isinstance(value, list) and len(value) == size else value
