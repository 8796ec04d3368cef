"""A stage that measures something that should be otherwise."""

from collections.abc import Iterator


def measure(setup: object) -> Iterator[dict]:
    yield {"gap": 3.0, "finding": "the gap is 3"}
