"""Row formats: rows as other projects publish them, recognised by their columns and converted to ours."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from data.gsm8k import is_gsm8k, number_question, reference_number, workings
from data.literals import read_literal
from data.muldimif import read_row
from data.problems import to_row
from data.rlvr_functions import function_constraint
from rewards.errors import InputError

Row = Mapping[str, Any]

ANSWERS = ("chosen", "rejected")
ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant", "bard": "assistant"}
"""ShareGPT's names of the speakers -> a chat template's."""
CONSTRAINT_MARKS = ("instruction_id", "func_name")
"""A ground truth with one of these names lists constraints; any other is the expected answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowFormat:
    """A way of writing rows.

    Example:
        RowFormat(name="IFEval", is_written_so=lambda row: "instruction_id_list" in row, convert=from_ifeval)
    """

    name: str
    is_written_so: Callable[[Row], bool]
    convert: Callable[[Row], Row]


def row_format(row: Row) -> str:
    """Return the name of the format that a row is taken for."""
    return _format_of(row).name


def convert_row(row: Row) -> Row:
    """Return the row in our columns. Raises InputError, naming the column, for what its format cannot mean."""
    return _format_of(row).convert(row)


def from_ifeval(row: Row) -> Row:
    """Convert an IFEval or IFBench row (`key, prompt, instruction_id_list, kwargs`); it has no spans."""
    ids, kwargs = row["instruction_id_list"], row.get("kwargs")
    with_values = _read(kwargs, "kwargs") if isinstance(kwargs, str) else kwargs
    rest = _without(row, "key", "instruction_id_list", "kwargs")
    return {**rest, **_identity(row, "key"), "constraints": _constraints(ids, with_values), "task": "ifeval"}


def from_verl(row: Row) -> Row:
    """Convert a verl row (`data_source, prompt, ability, reward_model, extra_info`)."""
    truth = _mapping(row["reward_model"], "reward_model").get("ground_truth")
    extra = _mapping(row.get("extra_info") or {}, "extra_info")
    index = {} if "index" not in extra else {"problem_id": f"{row['data_source']}-{extra['index']}"}
    return {
        **index,
        "prompt": row.get("prompt"),
        "task": row.get("ability") or row["data_source"],
        "data_source": row["data_source"],
        "extra_info": extra,
        **_of_ground_truth(truth, "reward_model.ground_truth"),
    }


def from_open_instruct(row: Row) -> Row:
    """Convert an open-instruct row (`messages, ground_truth, dataset`), IF-RLVR's and RLVR-IFeval's among them."""
    source = row.get("dataset")
    task = source[0] if isinstance(source, list) and source else source
    named = {"task": task} if isinstance(task, str) else {}
    rest = _without(row, "key", "messages", "ground_truth", "dataset")
    truth = _of_ground_truth(row["ground_truth"], "ground_truth")
    return {**rest, **_identity(row, "key"), **named, **_of_chat(row, "messages", answer=False), **truth}


def from_messages(row: Row) -> Row:
    """Convert TRL's conversations (`messages`): up to the last user's message they are the prompt."""
    return {**_without(row, "messages"), **_of_chat(row, "messages")}


def from_sharegpt(row: Row) -> Row:
    """Convert a ShareGPT row (`conversations` of `{from, value}`, perhaps `system`, `chosen` and `rejected`)."""
    rest = _without(row, "conversations", "system", *ANSWERS)
    system = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    answers = {name: _chat([row[name]], name) for name in ANSWERS if isinstance(row.get(name), Mapping)}
    texts = {name: row[name] for name in ANSWERS if name in row and name not in answers}
    return {**rest, **_of_chat(row, "conversations", before=system), **texts, **answers}


def from_accord(row: Row) -> Row:
    """Convert an ACCORD row (`instruction, input, output_accord, output_list_of_lists`, perhaps `paired_distances`).

    Its instances are texts of other forms than ours, so it has no rules; the completion is ACCORD's stepwise text.
    """
    columns = ("instruction", "input", "paired_distances")
    given = [str(row[name]) for name in columns if row.get(name)]
    return {
        **_without(row, *columns, "output_accord", "output_list_of_lists"),
        "prompt": [{"role": "user", "content": "\n\n".join(given)}],
        "completion": [{"role": "assistant", "content": row["output_accord"]}],
        "reference": str(row["output_list_of_lists"]),
        "task": "accord",
    }


def from_gsm8k(row: Row) -> Row:
    """Convert a GSM8K row (`question, answer`): the workings are the completion, the number is the reference."""
    return {
        **_without(row, "question", "answer"),
        "prompt": [{"role": "user", "content": number_question(row)}],
        "completion": [{"role": "assistant", "content": workings(row)}],
        "reference": reference_number(row),
        "task": "gsm8k",
    }


def from_muldimif(row: Row) -> Row:
    """Convert a MulDimIF row. Raises InputError for one of its texts that no kind checks."""
    problem, unread = read_row(row)
    if unread:
        raise InputError(f"column 'constraints': no verifier checks {unread[0].triple[2]!r} ({unread[0].reason})")
    return to_row(problem)


def _is_muldimif(row: Row) -> bool:
    constraints = row.get("constraints")
    return (
        _has("conversations")(row)
        and isinstance(constraints, list)
        and all(isinstance(item, list) for item in constraints)
    )


def from_chosen_and_rejected(row: Row) -> Row:
    """Convert a preference row without `prompt`: what both chats begin with is the prompt.

    Raises InputError where they share no beginning, or one is nothing but that.
    """
    chats = [row["chosen"], row["rejected"]]
    if any(isinstance(chat, str) for chat in chats):
        raise InputError(
            "column 'prompt' is missing, and 'chosen' and 'rejected' are text, of which no part is known "
            "to be the prompt"
        )
    chosen, rejected = (_chat(chat, name) for chat, name in zip(chats, ANSWERS, strict=True))
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(chosen, rejected, strict=False)))
    prompt, chosen, rejected = chosen[:shared], chosen[shared:], rejected[shared:]
    if not prompt or not chosen or not rejected:
        raise InputError(
            "columns 'chosen' and 'rejected' should begin with the same messages, which are the prompt, "
            f"and each go on with an answer; they share {shared}"
        )
    return {**row, "prompt": prompt, "chosen": chosen, "rejected": rejected}


def _has(*columns: str) -> Callable[[Row], bool]:
    return lambda row: all(row.get(name) is not None for name in columns)


FORMATS = (
    RowFormat(name="IFEval", is_written_so=lambda row: "instruction_id_list" in row, convert=from_ifeval),
    RowFormat(name="verl", is_written_so=lambda row: "data_source" in row and "reward_model" in row, convert=from_verl),
    RowFormat(
        name="open-instruct",
        is_written_so=lambda row: row.get("prompt") is None and _has("messages", "ground_truth")(row),
        convert=from_open_instruct,
    ),
    RowFormat(
        name="ACCORD", is_written_so=_has("instruction", "output_accord", "output_list_of_lists"), convert=from_accord
    ),
    RowFormat(name="GSM8K", is_written_so=lambda row: row.get("prompt") is None and is_gsm8k(row), convert=from_gsm8k),
    RowFormat(name="MulDimIF", is_written_so=_is_muldimif, convert=from_muldimif),
    RowFormat(
        name="ShareGPT",
        is_written_so=lambda row: row.get("prompt") is None and _has("conversations")(row),
        convert=from_sharegpt,
    ),
    RowFormat(
        name="TRL conversations",
        is_written_so=lambda row: row.get("prompt") is None and _has("messages")(row),
        convert=from_messages,
    ),
    RowFormat(
        name="TRL preferences without a prompt",
        is_written_so=lambda row: row.get("prompt") is None and _has(*ANSWERS)(row),
        convert=from_chosen_and_rejected,
    ),
    RowFormat(name="TRL preferences", is_written_so=_has("prompt", *ANSWERS), convert=dict),
    RowFormat(name="TRL prompts and answers", is_written_so=_has("prompt", "completion"), convert=dict),
    RowFormat(name="prompts with constraints", is_written_so=_has("prompt", "constraints"), convert=dict),
    RowFormat(name="prompts", is_written_so=lambda row: True, convert=dict),
)
"""The first that a row fits is its format."""


def _format_of(row: Row) -> RowFormat:
    return next(one for one in FORMATS if one.is_written_so(row))


def _of_chat(row: Row, column: str, *, before: Sequence[Row] = (), answer: bool = True) -> Row:
    """Return the messages up to the user's last as the prompt and, where `answer`, the reply to it as the reference."""
    messages = [*before, *_chat(row[column], column)]
    last = max((index for index, message in enumerate(messages) if message["role"] == "user"), default=None)
    if last is None:
        raise InputError(f"column {column!r} has no message of a user, so nothing is asked; got {messages!r:.200}")
    reply = messages[last + 1] if answer and last + 1 < len(messages) else None
    known = {} if reply is None or row.get("reference") is not None else {"reference": reply["content"]}
    return {"prompt": messages[: last + 1], **known}


def _chat(chat: Any, column: str) -> list[dict[str, Any]]:
    """Return chat messages with `role` and `content`, whether they are written so or as ShareGPT's `from`, `value`."""
    if isinstance(chat, str) or not isinstance(chat, Sequence) or not all(isinstance(item, Mapping) for item in chat):
        raise InputError(f"expected column {column!r} to be a list of chat messages; got {chat!r:.200}")
    return [_message(item) for item in chat]


def _message(item: Row) -> dict[str, Any]:
    if item.get("from") is None or "role" in item:
        return dict(item)
    return {"role": ROLES.get(item["from"], item["from"]), "content": item.get("value")}


def _of_ground_truth(truth: Any, column: str) -> Row:
    """Return a ground truth's constraints as a column, or, where it lists none, the truth as the reference.

    Raises InputError for constraints that cannot be read: as a reference they would be lost without a word.
    """
    value = truth
    if isinstance(truth, str) and truth.lstrip()[:1] in ("[", "{") and any(mark in truth for mark in CONSTRAINT_MARKS):
        value = _read(truth, column)
    items = [value] if isinstance(value, Mapping) else value
    if not isinstance(items, list) or not any(_lists_constraints(item) for item in items):
        return {"reference": truth if isinstance(truth, str | None) else json.dumps(truth)}
    return {"constraints": [spec for item in items for spec in _truth_constraints(item, column)], "reference": None}


def _lists_constraints(item: Any) -> bool:
    return isinstance(item, Mapping) and any(item.get(mark) is not None for mark in CONSTRAINT_MARKS)


def _truth_constraints(item: Any, column: str) -> list[Row]:
    if not _lists_constraints(item):
        raise InputError(
            f"column {column!r}: expected {{instruction_id, kwargs}} or {{func_name, ...}}; got {item!r:.100}"
        )
    if item.get("func_name") is not None:
        kind, kwargs = function_constraint(item)
        return [{"id": kind, "kwargs": kwargs}]
    return _constraints(item["instruction_id"], item.get("kwargs"))


def _constraints(ids: Any, kwargs: Any) -> list[Row]:
    if not isinstance(ids, Sequence) or isinstance(ids, str):
        raise InputError(f"expected a list of instruction ids; got {ids!r:.100}")
    kwargs = [None] * len(ids) if kwargs is None else kwargs
    if not isinstance(kwargs, Sequence) or isinstance(kwargs, str) or len(kwargs) != len(ids):
        given = len(kwargs) if isinstance(kwargs, Sequence) and not isinstance(kwargs, str) else f"{kwargs!r:.100}"
        raise InputError(f"expected one kwargs for each of the {len(ids)} instruction ids; got {given}")
    return [{"id": kind, "kwargs": values} for kind, values in zip(ids, kwargs, strict=True)]


def _identity(row: Row, column: str) -> Row:
    return {"problem_id": str(row[column])} if row.get(column) is not None else {}


def _without(row: Row, *columns: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in columns}


def _mapping(value: Any, column: str) -> Row:
    """Return an object, which parquet files of verl may hold as text."""
    read = _read(value, column) if isinstance(value, str) else value
    if not isinstance(read, Mapping):
        raise InputError(f"expected column {column!r} to be an object; got {value!r:.200}")
    return read


def _read(text: str, column: str) -> Any:
    try:
        return read_literal(text)
    except InputError as error:
        raise InputError(f"column {column!r} {error}") from error
