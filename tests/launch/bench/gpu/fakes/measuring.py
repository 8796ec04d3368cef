"""A stage that measures two things, one of which is not a number."""

from collections.abc import Iterator


def measure(setup: object) -> Iterator[dict]:
    yield {"round": 1, "seconds": 0.5}
    yield {"round": 2, "seconds": float("nan")}
