"""Recorded rollouts: which of them the report shows, and the characters and readings of their tokens."""

from collections.abc import Callable, Sequence
from itertools import groupby
from statistics import fmean
from typing import Any

import torch

from attention_probes.listening import measure_listening, response_segments

Spans = Callable[[Sequence[int]], list[tuple[int, int]]]
"""Token ids of a completion -> each token's half-open character span in its text."""

MAX_STEPS = 100
MAX_TOKENS = 160_000
"""Limit for one run: some 10 MB."""
DIGITS = 3
"""Significant digits of a reading."""

NOT_READINGS = frozenset({"completion_ids", "verdicts"})
NAMES = {"weights": "credit"}
ATTENTION = "attention to constraint {}"
"""Numbered as in the prompt: names would differ from group to group."""


def select_groups(records: Sequence[dict[str, Any]], spans: Spans) -> list[dict[str, Any]]:
    """Return groups in the order of training, evenly spaced over the steps, the first and the last included.

    Each holds its prompt and its recorded members, best first.
    """
    by_step = [list(records_of_step) for _, records_of_step in groupby(records, key=lambda record: record["step"])]
    chosen = evenly_spaced(by_step, MAX_STEPS)
    while len(chosen) > 2 and _num_tokens(chosen) > MAX_TOKENS:
        chosen = evenly_spaced(chosen, len(chosen) // 2)
    return [
        _group(list(members), spans)
        for step in chosen
        for _, members in groupby(step, key=lambda record: record["problem_id"])
    ]


def evenly_spaced(items: Sequence[Any], count: int) -> list[Any]:
    """Return at most `count` items at equal distances, with the first and the last when there is room for two."""
    if len(items) <= count:
        return list(items)
    if count == 1:
        return [items[-1]]
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]


def token_readings(record: dict[str, Any]) -> dict[str, list[float]]:
    """Return, by name, every list of the record that holds one value per token."""
    length = len(record["completion_ids"])
    of_tokens = {
        NAMES.get(name, name): values
        for name, values in record.items()
        if name not in NOT_READINGS and isinstance(values, list) and len(values) == length
    }
    attention = {
        ATTENTION.format(number): verdict["attention"]
        for number, verdict in enumerate(record["verdicts"], start=1)
        if "attention" in verdict
    }
    return {
        name: [float(f"{value:.{DIGITS}g}") for value in values] for name, values in (of_tokens | attention).items()
    }


def _num_tokens(steps: Sequence[Sequence[dict[str, Any]]]) -> int:
    return sum(len(record["completion_ids"]) for step in steps for record in step)


def _group(members: list[dict[str, Any]], spans: Spans) -> dict[str, Any]:
    first = members[0]
    return {
        "step": first["step"],
        "problem_id": first["problem_id"],
        "prompt": first["prompt"],
        "members": [_member(record, spans) for record in members],
    }


def _member(record: dict[str, Any], spans: Spans) -> dict[str, Any]:
    return {
        **{name: record[name] for name in ("which", "reward", "advantage", "completion")},
        "answer_start": record.get("answer_start", 0),
        "verdicts": [_verdict(verdict) for verdict in record["verdicts"]],
        "ids": record["completion_ids"],
        "spans": spans(record["completion_ids"]),
        "readings": token_readings(record),
        "listening": _listening(record),
    }


def _listening(record: dict[str, Any]) -> dict[str, Any] | None:
    """Return which constraint each segment attends to; None unless boundaries and two constraints were recorded."""
    verdicts = [(number, verdict) for number, verdict in enumerate(record["verdicts"]) if "attention" in verdict]
    if len(verdicts) < 2 or "boundary" not in record:
        return None
    relative_TC = torch.tensor([verdict["attention"] for _, verdict in verdicts]).T
    scores = torch.tensor(record["boundary"])
    heard = measure_listening(relative_TC, response_segments(scores, torch.ones(len(scores)).bool(), relative_TC))
    return {
        "constraints": [number for number, _ in verdicts],
        "segments": heard.segments,
        "shares": heard.attention.tolist(),
        "margins": heard.margins.tolist(),
    }


def _verdict(verdict: dict[str, Any]) -> dict[str, Any]:
    """Return the verdict, its attention averaged over the tokens."""
    return verdict | ({"attention": fmean(verdict["attention"])} if "attention" in verdict else {})
