"""Trainer ranks: how many, where they run and what they share."""

from typing import Annotated, Literal

from pydantic import Field

from rl.config.types import Positive, Section, Weight


class DistributedConfig(Section):
    processes: Positive = 1
    """Trainer ranks, over all nodes; on GPUs, one a GPU."""
    nodes: Positive = 1
    zero: Literal[0, 1, 2, 3] = 0
    """DeepSpeed's ZeRO stage: what the ranks share instead of each keeping all of it. 1: optimizer states, 2: and
    gradients, 3: and weights."""
    offload: bool = False
    """Keep what `zero` shares in the CPU's memory."""
    launcher: Literal["local", "ray"] | None = None
    """Who starts the ranks: `heed train` here, or Ray Train over a cluster; null is ray for several nodes."""
    cpus: Weight = 1.0
    """Of Ray's CPUs, reserved for each rank that Ray starts, and as many threads."""
    gpus: Annotated[float, Field(gt=0.5, le=1.0)] | None = None
    """Of a GPU, reserved for each rank that Ray starts; less than 1 leaves the rest to `rollouts.gpus`. Null is 1 where
    the cluster has GPUs, else 0."""
    restarts: Annotated[int, Field(ge=0)] = 0
    """How often ranks that Ray lost (a node, its memory) start again from the newest checkpoint."""

    @property
    def on_ray(self) -> bool:
        return self.launcher == "ray" or (self.launcher is None and self.nodes > 1)
