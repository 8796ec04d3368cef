"""Reward of the stages' trainings: it differs within every group, also where a random model writes nothing sensible."""

from typing import Any


def even_share(completion_ids: list[list[int]], **columns: Any) -> list[float]:
    """Return the share of even token ids in each completion."""
    return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]
