"""Ranks: how many processes train together, held against how many were started."""

from collections.abc import Mapping

from rl.config import Distributed


def check_ranks(distributed: Distributed, environment: Mapping[str, str]) -> None:
    """Raise ValueError unless this is the only rank: training on several is planned by `heed plan`, not built yet."""
    started = int(environment.get("WORLD_SIZE", "1"))
    if distributed.processes != 1 or started != 1:
        raise ValueError(
            f"distributed.processes={distributed.processes}, and WORLD_SIZE is {started}: a training on several "
            "processes is not built yet; set distributed.processes=1 and start it without torchrun"
        )
