"""Benchmark metrics: from judged answers to the figures that papers report, each with its interval."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rl.common.intervals import bootstrap_interval, bootstrap_ratio
from rl.evaluation.benchmarks.run import Answer, paired_answers


def benchmark_metrics(records: Sequence[Answer]) -> dict[str, Any]:
    """Return every score's mean over the prompts, those of single constraints, and both by kind and by group.

    Intervals are 95 % bootstraps over prompts, whose constraints stay together.
    """
    return {
        "metrics": _scores(records),
        "kinds": _by_constraint(records, "kind"),
        "categories": _by_constraint(records, "category"),
        "groups": {
            name: {value: _scores(members) for value, members in _grouped(records, name).items()}
            for name in dict.fromkeys(name for record in records for name in record["groups"])
        },
        "thinking": sum(record["thinks"] for record in records) / len(records),
        "without_thought": sum(record["thinks"] and not record["thought"] for record in records),
        "unfinished_thoughts": sum(not record["finished"] for record in records),
        "cut_off": sum(record["cut_off"] for record in records),
        "tokens": {
            name: sum(record["tokens"][name] for record in records) / len(records)
            for name in ("thought", "answer", "all")
        },
    }


def _scores(records: Sequence[Answer]) -> dict[str, dict[str, float]]:
    """Return the interval of each score of prompts, and of `instruction_strict` and `instruction_loose`."""
    names = dict.fromkeys(name for record in records for name in record["scores"])
    intervals = {name: bootstrap_interval([record["scores"][name] for record in records]) for name in names}
    for name in ("strict", "loose"):
        counts = [_counts(record["constraints"], name) for record in records]
        if any(total for _, total in counts):
            satisfied, totals = zip(*counts, strict=True)
            intervals[f"instruction_{name}"] = bootstrap_ratio(satisfied, totals)
    return {name: asdict(interval) for name, interval in intervals.items()}


def _counts(constraints: Sequence[Answer], name: str) -> tuple[float, float]:
    """Return how many constraints are satisfied, and of how many."""
    known = [one[name] for one in constraints if one[name] is not None]
    return float(sum(known)), float(len(known))


def _by_constraint(records: Sequence[Answer], column: str) -> dict[str, dict[str, Any]]:
    """Return the rates of the constraints with the same value in a column."""
    found: dict[str, list[Answer]] = defaultdict(list)
    for record in records:
        for constraint in record["constraints"]:
            found[constraint[column]].append(constraint)
    return {
        value: {
            name: satisfied / total
            for name in ("strict", "loose")
            for satisfied, total in [_counts(all_of, name)]
            if total
        }
        | {"of": len(all_of)}
        for value, all_of in sorted(found.items())
    }


def _grouped(records: Sequence[Answer], name: str) -> dict[str, list[Answer]]:
    groups: dict[str, list[Answer]] = defaultdict(list)
    for record in records:
        if name in record["groups"]:
            groups[str(record["groups"][name])].append(record)
    return dict(sorted(groups.items()))


def differences(records: Sequence[Answer], before: Sequence[Answer]) -> dict[str, dict[str, float]]:
    """Return how much higher each score is than that of other answers to the same prompts, paired prompt by prompt.

    Raises UserError when the prompts are not the same.
    """
    pairs = paired_answers(records, before)
    names = [name for name in records[0]["scores"] if all(name in other["scores"] for _, other in pairs)]
    intervals = {
        name: bootstrap_interval([one["scores"][name] - other["scores"][name] for one, other in pairs])
        for name in names
    }
    for name in ("strict", "loose"):
        counts = [[_counts(record["constraints"], name) for record in pair] for pair in pairs]
        totals = [total for (_, total), _ in counts]
        if any(totals):
            gained = [satisfied - satisfied_before for (satisfied, _), (satisfied_before, _) in counts]
            intervals[f"instruction_{name}"] = bootstrap_ratio(gained, totals)
    return {name: asdict(interval) for name, interval in intervals.items()}
