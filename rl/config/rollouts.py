"""Rollouts: who samples the completions, and what happens when a worker fails."""

from typing import Annotated, Literal

from pydantic import Field

from rl.config.types import Fraction, Positive, Seconds, Section, Weight


class RolloutsConfig(Section):
    workers: Annotated[int, Field(ge=0)] = 0
    """Ray actors that sample, each with a model of its own; 0 generates in the trainer's own process."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """What a worker samples with; vllm needs a GPU and `pip install heed[vllm]`."""
    address: str | None = None
    """A Ray cluster to join, `auto` or host:port; null starts Ray on this machine alone."""
    cpus: Weight = 1.0
    """Of Ray's CPUs, reserved for each worker."""
    gpus: Weight = 0.0
    """Of Ray's GPUs, reserved for each worker; a fraction shares one."""
    resources: dict[str, float] = Field(default_factory=dict)
    """Your cluster's own resources, reserved for each worker, as in {rollout_node: 1}."""
    object_store_mb: Annotated[int, Field(ge=80)] = 200
    """Shared memory of the Ray that we start; adapters pass through it."""
    groups_per_unit: Positive | None = None
    """Groups sampled by one `generate` call; null takes all groups of a generation batch."""
    threads: Positive | None = None
    """Torch threads while sampling; null leaves torch's own number."""
    start_limit: Seconds = 300.0
    """A worker that has not loaded its model by then is given up."""
    time_limit: Seconds = 600.0
    """A worker that has not finished a unit by then is ended, and the unit given to another."""
    tries: Positive = 3
    """A unit that failed this often is dropped, with its reason, and the run goes on."""
    max_dropped: Fraction = 0.01
    """Share of the run's groups that may be dropped before it stops."""
    tolerance: Annotated[float, Field(gt=0.0)] | None = None
    """Largest gap between learner's and worker's log-probs of the probe prompt; null is 1e-4 in float32, 0.1 else."""
    max_staleness: Annotated[int, Field(ge=0)] = 0
    """Optimizer steps that a completion may lag behind when its training begins; 0 is synchronous."""
    correction: Literal["token_truncate", "sequence_mask", "none"] = "token_truncate"
    """How the ratio of learner to sampler weighs stale tokens, as TRL's vllm_importance_sampling_mode."""
    correction_cap: Annotated[float, Field(ge=1.0)] = 3.0
    """Largest ratio (TRL's default: 3)."""
