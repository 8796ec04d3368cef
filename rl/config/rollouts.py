"""Settings of `rollouts`: the workers that sample completions, and what happens when one fails."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rl.config.engines import ENGINES, EngineName
from rl.config.types import Address, Fraction, Positive, Seconds, Section, Weight
from rl.config.vllm import VllmConfig


class SparseConfig(Section):
    """Read long prompts sparsely while sampling, as long as that changes little."""

    plan: Literal["window", "power", "blocks", "hip", "flexprefill"] | None = None
    """Which blocks of earlier tokens a block reads (`attention_probes/sparse/`, one plan a file); null reads all."""
    block: Positive = 64
    """Tokens of a block."""
    blocks: Positive = 8
    """Blocks that are read: near ones (window, power), or the best (blocks, hip); flexprefill takes what it needs."""
    gamma: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    """flexprefill: the share of the estimated attention that is read."""
    dense_layers: Annotated[int, Field(ge=0)] = 2
    """The first layers, which read everything."""
    every: Positive = 50
    """Optimizer steps after which a request's completions are compared again with the prompts read both ways."""
    agreement: Fraction = 0.86
    """The plan is used while the 5th percentile of exp(-|gap|) over completion tokens is at least this."""


class RolloutsConfig(Section):
    """How completions are sampled, by Ray workers or in the trainer's process."""

    workers: Annotated[int, Field(ge=0)] = 0
    """Ray actors that sample, each with its own copy of the model; 0 samples in the trainer's process. With engine
    vllm_server, requests under way at the same time, at least one for each server, and no Ray."""
    engine: EngineName = "transformers"
    """What samples (`rl/config/engines.py` has the names); vllm needs workers and `pip install heed[vllm]`, vllm_server
    a server of yours at `url`."""
    vllm: VllmConfig = VllmConfig()
    url: Address | list[Address] | None = None
    """Address of a vLLM server that you have started, or a list of several, for engine vllm_server: each adapter is
    loaded there under a name of its own, and a request that one does not answer goes to another."""
    adapter_folder: Path | None = None
    """Where adapters are written for the servers at `url`, which must see it under the same path; null is the system's
    temporary folder, for servers on this machine."""
    address: str | None = None
    """The Ray cluster to join, `auto` or host:port; null starts Ray on this machine."""
    cpus: Weight = 1.0
    """CPUs that Ray reserves for each worker."""
    gpus: Weight = 0.0
    """Share of a GPU that each worker takes. A cluster's Ray reserves it; on one machine, workers go to GPUs without a
    rank, then beside their own rank, as long as these shares fit, and 0 shares what there is."""
    resources: dict[str, float] = Field(default_factory=dict)
    """Custom resources of your cluster that Ray reserves for each worker, as in {rollout_node: 1}."""
    object_store_mb: Annotated[int, Field(ge=80)] | None = None
    """Shared memory of a Ray that Heed starts; adapters pass through it, and null makes it large enough for them."""
    groups_per_unit: Positive | None = None
    """Groups in one unit of work, which is one rollout request and one `generate` call; null puts a whole generation
    batch into one. A group is the `trainer.num_generations` completions of one prompt."""
    threads: Positive | None = None
    """Torch threads while sampling; null keeps torch's number."""
    packed_weights: bool = True
    """Decode with a second copy of the frozen weights, in the layout in which a CPU multiplies few rows fastest; false
    saves that memory. A GPU needs none, nor does engine vllm."""
    start_limit: Seconds = 300.0
    """Time a worker has to load its model before it is replaced."""
    time_limit: Seconds = 600.0
    """Time a worker has for one request before it is ended, and another worker gets the request."""
    tries: Positive = 3
    """A request that failed this often is dropped, with its reason, and the run continues."""
    max_dropped: Fraction = 0.01
    """Share of the run's groups that may be dropped before the run stops."""
    tolerance: Annotated[float, Field(gt=0.0)] | None = None
    """Allowed gap between learner's and worker's log-probs of a fixed prompt after new weights were sent: in float32
    the largest, in bfloat16 the mean, and twice as much at the 0.9 quantile; null is 1e-4 in float32, else 0.1."""
    refill: Annotated[int, Field(ge=0)] = 0
    """How often a group whose completions all earn the same is sampled again, from the next prompts (dynamic sampling);
    those that are replaced are dropped in the ledger as `no signal`."""
    max_staleness: Annotated[int, Field(ge=0)] = 0
    """Optimizer steps by which a completion's policy may lag behind when its training begins; 0 is synchronous."""
    correction: Literal["token_truncate", "sequence_mask", "none"] = "token_truncate"
    """How the probability ratio of learner to sampler weighs stale tokens, as TRL's vllm_importance_sampling_mode."""
    sparse: SparseConfig = SparseConfig()
    correction_cap: Annotated[float, Field(ge=1.0)] = 3.0
    """Largest ratio; 3 is TRL's default."""

    @property
    def on_servers(self) -> bool:
        """Whether servers of the user's sample, rather than Ray workers or the trainer's own process."""
        return ENGINES[self.engine].server

    @property
    def ray_workers(self) -> int:
        return 0 if self.on_servers else self.workers

    @property
    def urls(self) -> tuple[str, ...]:
        """Addresses of the servers, without the `/v1` that clients of OpenAI's interface put there."""
        given = [self.url] if isinstance(self.url, str) else self.url or []
        return tuple(url.rstrip("/").removesuffix("/v1") for url in given)

    @property
    def longest_wait(self) -> float:
        """Seconds after which a request is answered or dropped: each try may end a worker and start another."""
        return self.tries * (self.time_limit + self.start_limit) if self.workers or self.on_servers else 0.0
