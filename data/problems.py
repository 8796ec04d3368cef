"""Problems: prompts, the constraints they state, and the character spans that state them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data.literals import read_literal
from rewards.errors import InputError
from rewards.verdict import Span

Message = dict[str, str]
Arguments = Mapping[str, Any]
"""Keyword arguments of a verifier."""
Constraint = tuple[str, Arguments]
"""A verifier id and its arguments, before the constraint is put into words."""

COLUMNS = ("problem_id", "prompt", "constraints", "reference", "task")
"""The dataset columns every reader produces; any further columns of a row follow them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstraintSpec:
    """One rule of a prompt: the verifier that decides it, its arguments, and where the prompt states it.

    Example:
        ConstraintSpec(id="length:word_range", kwargs={"minimum": 8, "maximum": 20},
                       text="write between 8 and 20 words", spans=((32, 60),))
    """

    id: str
    kwargs: Arguments
    """Arguments of the verifier, JSON values only."""
    text: str
    """The rule in words, as the prompt states it."""
    spans: tuple[Span, ...] = ()
    """Half-open character spans inside the last user message; empty if unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One prompt with its constraints.

    Example:
        Problem(problem_id="train-0-17", messages=({"role": "user", "content": "Describe the sea. Use no commas."},),
                constraints=(ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas.",
                                            spans=((18, 32),)),))
    """

    problem_id: str
    messages: tuple[Message, ...]
    """Chat messages, oldest first; the last one is the user's."""
    constraints: tuple[ConstraintSpec, ...] = ()
    reference: str | None = None
    """The expected answer, where the task has one."""
    task: str = "instruction"
    extras: Mapping[str, Any] = field(default_factory=dict)
    """Every further column of the row; reward functions receive them as TRL passes columns."""
    is_text: bool = field(default=False, compare=False)
    """Whether the row's prompt is text rather than messages; a reward function then receives text, as in TRL."""


def user_text(problem: Problem) -> str:
    """Return the content of the last user message, which constraint spans index."""
    return problem.messages[-1]["content"]


def request(problem: Problem) -> str:
    """Return what the user requests, without the rules: the base instruction if known, else the message minus spans."""
    if isinstance(known := problem.extras.get("request"), str):
        return known
    text = user_text(problem)
    for start, end in sorted((span for spec in problem.constraints for span in spec.spans), reverse=True):
        text = text[:start] + text[end:]
    return " ".join(text.split())


def to_row(problem: Problem) -> dict[str, Any]:
    """Return the problem as a dataset row; constraint arguments become JSON text, as Arrow cannot hold mixed ones."""
    constraints = [
        {
            "id": spec.id,
            "kwargs": json.dumps(dict(spec.kwargs), ensure_ascii=False, sort_keys=True),
            "text": spec.text,
            "spans": [list(span) for span in spec.spans],
        }
        for spec in problem.constraints
    ]
    values = (problem.problem_id, [dict(m) for m in problem.messages], constraints, problem.reference, problem.task)
    return {**dict(zip(COLUMNS, values, strict=True)), **problem.extras}


def from_row(row: Mapping[str, Any], *, default_id: str = "row-1") -> Problem:
    """Read one dataset row; a missing optional column takes its default, an unknown one is kept in `extras`.

    Raises InputError saying what was expected and what the row has. Constraint ids are only checked for shape here:
    `rewards` decides which ids and arguments exist (see `data.reading`).
    """
    if row.get("prompt") is None:
        columns = ", ".join(sorted(row)) or "no columns"
        state = "in this row it is null" if "prompt" in row else f"this row has {columns}"
        raise InputError(f"expected a column 'prompt' (text or chat messages); {state}")
    messages = _messages(row["prompt"])
    length = len(messages[-1]["content"])
    return Problem(
        problem_id=_identity(row.get("problem_id"), default_id),
        messages=messages,
        constraints=tuple(_constraint(item, length) for item in _listed(row.get("constraints"))),
        reference=_optional_text(row, "reference"),
        task=_optional_text(row, "task") or "instruction",
        extras={name: value for name, value in row.items() if name not in COLUMNS},
        is_text=isinstance(row["prompt"], str),
    )


def _identity(value: Any, default: str) -> str:
    return default if value is None else str(value)


def _optional_text(row: Mapping[str, Any], column: str) -> str | None:
    value = row.get(column)
    if value is not None and not isinstance(value, str):
        raise InputError(f"expected column {column!r} to be text; got {value!r}")
    return value


def _messages(prompt: Any) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    if not isinstance(prompt, Sequence) or not prompt:
        raise InputError(f"expected 'prompt' to be text or a non-empty list of chat messages; got {prompt!r}")
    messages = tuple(chat_message(item, "prompt") for item in prompt)
    if messages[-1]["role"] != "user":
        raise InputError(f"expected the last message of 'prompt' to be the user's; got role {messages[-1]['role']!r}")
    if not messages[-1]["content"].strip():
        raise InputError("expected 'prompt' to have text; the last user message is empty")
    return messages


def chat_message(item: Any, column: str) -> Message:
    """Read one message; content may be a list of text parts.

    Raises InputError for one without text, and for one with more, which would be lost.
    """
    if not isinstance(item, Mapping) or not isinstance(item.get("role"), str):
        raise InputError(
            f"expected column {column!r} to have chat messages with text 'role' and 'content'; got {item!r:.200}"
        )
    # Arrow fills in the keys that only other messages have, with None.
    if more := sorted(name for name, value in item.items() if value and name not in ("role", "content")):
        raise InputError(
            f"expected the messages of column {column!r} to have a role and a content alone; got {more} too, which "
            "would be lost: remove them, or write them into the content"
        )
    return {"role": item["role"], "content": _content(item.get("content"), column)}


def _content(content: Any, column: str) -> str:
    """Return a message's text, that of all its parts if it has several."""
    parts = [content] if isinstance(content, str) else content
    texts = [_part_text(part) for part in parts] if isinstance(parts, list) else [None]
    if None in texts:
        raise InputError(
            f"expected column {column!r} to have chat messages with text 'role' and 'content', or with a content of "
            f"parts that are all of the type text; got the content {content!r:.200}"
        )
    return "".join(text for text in texts if text is not None)


def _part_text(part: Any) -> str | None:
    """Return the text of a part such as `{type: text, text: ...}`; None for an image and the like."""
    if isinstance(part, Mapping) and part.get("type", "text") == "text":
        part = part.get("text")
    return part if isinstance(part, str) else None


def _listed(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InputError(f"expected 'constraints' to be a list of {{id, kwargs, text, spans}}; got {value!r}")
    return value


def _constraint(item: Any, length: int) -> ConstraintSpec:
    if not isinstance(item, Mapping) or not isinstance(item.get("id"), str):
        raise InputError(f"expected a constraint with a text 'id'; got {item!r}")
    spans = tuple(_span(span, length, item["id"]) for span in item.get("spans") or ())
    text = item.get("text") or ""
    if not isinstance(text, str):
        raise InputError(f"expected the text of constraint {item['id']!r} to be text; got {text!r}")
    return ConstraintSpec(id=item["id"], kwargs=_arguments(item), text=text, spans=spans)


def _arguments(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verifier's arguments, from a literal's text or a mapping, without the nulls that Arrow fills in."""
    kwargs = item.get("kwargs")
    if isinstance(kwargs, str):
        try:
            kwargs = read_literal(kwargs)
        except InputError as error:
            raise InputError(f"the text of the kwargs of constraint {item['id']!r} {error}") from error
    if kwargs is None:
        return {}
    if not isinstance(kwargs, Mapping):
        raise InputError(f"expected kwargs of constraint {item['id']!r} to be a JSON object; got {kwargs!r}")
    # A data frame fills in NaN, which alone is unequal to itself.
    return {name: value for name, value in kwargs.items() if value is not None and value == value}


def _span(span: Any, length: int, kind: str) -> Span:
    if not isinstance(span, Sequence) or len(span) != 2 or not all(isinstance(end, int) for end in span):
        raise InputError(f"expected a span of constraint {kind!r} to be [start, end]; got {span!r}")
    start, end = span
    if not 0 <= start < end <= length:
        raise InputError(
            f"span {[start, end]} of constraint {kind!r} does not fit the user message of {length} characters"
        )
    return (start, end)
