"""Row formats: converts rows of IFEval, open-instruct and verl to our columns."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rewards.errors import InputError

Row = Mapping[str, Any]


def convert_row(row: Row) -> Row:
    """Return the row in our columns if it has another project's format, else the row itself."""
    if "instruction_id_list" in row:
        return from_ifeval(row)
    if "data_source" in row and "reward_model" in row:
        return from_verl(row)
    return row


def from_ifeval(row: Row) -> Row:
    """Convert an IFEval or IFBench row (`key, prompt, instruction_id_list, kwargs`); it has no spans."""
    other_columns = {name: value for name, value in row.items() if name not in ("key", "instruction_id_list", "kwargs")}
    constraints = _constraints(row["instruction_id_list"], row.get("kwargs"))
    identity = {"problem_id": str(row["key"])} if "key" in row else {}
    return {**other_columns, **identity, "constraints": constraints, "task": "ifeval"}


def from_verl(row: Row) -> Row:
    """Convert a verl row (`data_source, prompt, ability, reward_model, extra_info`).

    The ground truth becomes the reference, or the constraints where it is open-instruct's list of
    `instruction_id` and `kwargs`.
    """
    truth = _mapping(row["reward_model"], "reward_model").get("ground_truth")
    extra = _mapping(row.get("extra_info") or {}, "extra_info")
    adapted = {
        "prompt": row.get("prompt"),
        "task": row.get("ability") or row["data_source"],
        "reference": truth if isinstance(truth, str | None) else json.dumps(truth),
        "data_source": row["data_source"],
        "extra_info": extra,
    }
    if "index" in extra:
        adapted["problem_id"] = f"{row['data_source']}-{extra['index']}"
    return {**adapted, **_open_instruct(truth)}


def _open_instruct(truth: Any) -> Row:
    """Return the constraints that a ground truth lists, as a column, or nothing."""
    if isinstance(truth, str) and "instruction_id" in truth:
        try:
            truth = json.loads(truth)
        except json.JSONDecodeError:  # an answer that merely contains the word
            return {}
    if not isinstance(truth, list) or not all(isinstance(item, dict) and "instruction_id" in item for item in truth):
        return {}
    ids = [kind for item in truth for kind in item["instruction_id"]]
    kwargs = [values for item in truth for values in item.get("kwargs") or [None] * len(item["instruction_id"])]
    return {"constraints": _constraints(ids, kwargs), "reference": None}


def _constraints(ids: Sequence[str], kwargs: Sequence[Any] | None) -> list[Row]:
    kwargs = [None] * len(ids) if kwargs is None else kwargs
    if len(kwargs) != len(ids):
        raise InputError(f"expected one kwargs for each of the {len(ids)} instruction ids; got {len(kwargs)}")
    return [{"id": kind, "kwargs": values} for kind, values in zip(ids, kwargs, strict=True)]


def _mapping(value: Any, column: str) -> Row:
    if not isinstance(value, Mapping):
        raise InputError(f"expected verl's column {column!r} to be an object; got {value!r}")
    return value
