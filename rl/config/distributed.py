"""Settings of `distributed`: how many trainer ranks there are, where they run and what they share."""

from typing import Annotated, Literal

from pydantic import Field

from rl.config.types import Positive, Section, Weight

RANK_SHARE = 0.5
"""Least share of its GPU that a rank needs; its workers get the rest at most."""


DEEPSPEED_BUCKET = 500_000_000
"""Numbers in DeepSpeed's buckets by default, which it allocates however few there are."""


def zero_bucket(trainable: int) -> int:
    """Return the numbers in a bucket in which DeepSpeed reduces gradients or gathers weights: all that are trained."""
    return min(trainable, DEEPSPEED_BUCKET)


class DistributedConfig(Section):
    """The processes that train together."""

    processes: Positive = 1
    """Trainer ranks over all nodes; with GPUs, one rank per GPU."""
    nodes: Positive = 1
    """Machines that the ranks are spread over."""
    zero: Literal[0, 1, 2, 3] = 0
    """DeepSpeed ZeRO stage, which says what is sharded over the ranks: 1 optimizer states, 2 gradients as well, 3
    weights as well."""
    offload: bool = False
    """Keep in CPU memory what `zero` shards."""
    launcher: Literal["local", "ray"] | None = None
    """What starts the ranks: `local` is `heed train` on this machine, `ray` is Ray Train over a cluster; null is `ray`
    when there are several nodes."""
    cpus: Weight = 1.0
    """CPUs that Ray reserves for each rank it starts, which is also the rank's number of threads."""
    gpus: Annotated[float, Field(gt=RANK_SHARE, le=1.0)] | None = None
    """Share of a GPU that Ray reserves for each rank it starts; less than 1 leaves the rest to `rollouts.gpus`. Null is
    1 where the cluster has GPUs, else 0."""
    restarts: Annotated[int, Field(ge=0)] = 0
    """How often ranks that Ray lost (a node, memory) start again from the newest checkpoint."""

    @property
    def on_ray(self) -> bool:
        """Whether Ray starts the ranks."""
        return self.launcher == "ray" or (self.launcher is None and self.nodes > 1)
