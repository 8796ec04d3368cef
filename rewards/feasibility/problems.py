"""Problems: all of them by name, and their instances as JSON text."""

import json
from dataclasses import MISSING, fields
from functools import lru_cache
from typing import Any

from rewards.feasibility.bin_packing import BinPacking
from rewards.feasibility.cvrp import Cvrp
from rewards.feasibility.flow_shop import FlowShop
from rewards.feasibility.instance import Instance
from rewards.feasibility.job_shop import JobShop
from rewards.feasibility.knapsack import Knapsack
from rewards.feasibility.pvrp import PvrpPreferences, PvrpZones
from rewards.feasibility.tsp import Tsp

PROBLEMS: dict[str, type[Instance]] = {
    kind.problem: kind for kind in (Tsp, Cvrp, Knapsack, FlowShop, JobShop, BinPacking, PvrpPreferences, PvrpZones)
}
CACHED = 4096
"""Latest instances that are kept: each is read once a rule and completion."""


def to_json(instance: Instance) -> str:
    """Return an instance as JSON text, with its problem's name and without empty fields."""
    values = {field.name: getattr(instance, field.name) for field in fields(instance)}
    filled = {name: value for name, value in values.items() if value != ()}
    return json.dumps({"problem": instance.problem, **filled}, separators=(",", ":"))


@lru_cache(maxsize=CACHED)
def from_json(text: str) -> Instance:
    """Return the instance of a JSON text. Raises ValueError, saying what is wrong with it."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError, TypeError) as error:
        raise ValueError(f"an instance should be the text of a JSON object: {error}") from error
    if not isinstance(values, dict) or values.get("problem") not in PROBLEMS:
        raise ValueError(f"an instance should name its problem, one of {', '.join(PROBLEMS)}")
    kind = PROBLEMS[values.pop("problem")]
    required = {field.name for field in fields(kind) if field.default is MISSING}
    if values.keys() - {field.name for field in fields(kind)} or required - values.keys():
        raise ValueError(f"a {kind.problem} should have {', '.join(sorted(required))}; it has {', '.join(values)}")
    try:
        return kind(**{name: _frozen(value) for name, value in values.items()})
    except TypeError as error:  # a number where a list should be
        raise ValueError(f"a value of the {kind.problem} has the wrong type: {error}") from error


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
