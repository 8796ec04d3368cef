"""A stage that lacks what it needs."""

from collections.abc import Iterator

from launch.bench.gpu.stage import Skipped


def measure(setup: object) -> Iterator[dict]:
    raise Skipped("it needs two GPUs, and 1 can be seen")
    yield {}
