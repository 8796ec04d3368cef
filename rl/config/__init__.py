"""Settings: everything a run decides, with its default and its allowed values, and no torch."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from rl.config.credit import Credit, Probe
from rl.config.pairs import Pairs
from rl.config.rewards import Rewards
from rl.config.routing import Routing
from rl.config.section import FileName, Fraction, Positive, Seconds, Section, Seed, Weight
from rl.config.trainer import GRPO_ONLY, Algorithm, Dpo, Trainer
from rl.trl_fields import refusals


class Model(Section):
    name: str = "smollm2-135m-instruct"
    """A hub name, a local folder, `smollm2-135m-instruct` (built in) or `tiny` (two random layers, for tests)."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 where the hardware multiplies it, else float32."""


class Data(Section):
    path: str | None = None
    """A JSONL or parquet file or a hub dataset in TRL's columns; null draws prompts from our own instructions."""
    held_out_path: str | None = None
    """Held-out problems for a `path` of your own; null holds out the last `held_out` rows of `path`."""
    seed: Seed = 0
    num_problems: Positive = 512
    """Training problems drawn when `path` is null."""
    held_out: Annotated[int, Field(ge=0)] = 96
    """Held-out problems the policy is scored on before and after training; 0 skips the evaluation."""
    kinds: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Constraint kinds to draw from; null draws from every kind the generator has."""
    max_constraints: Annotated[int, Field(ge=1, le=3)] = 3

    @field_validator("kinds")
    @classmethod
    def _kinds_are_known(cls, kinds: tuple[str, ...] | None) -> tuple[str, ...] | None:
        # Imported here: most starts need neither the kinds nor the wait for their libraries.
        from data.constraints import find_kind

        for kind in kinds or ():
            find_kind(kind)
        return kinds


class Lora(Section):
    r: Positive = 16
    alpha: Positive = 32
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    target_modules: str | tuple[str, ...] = "all-linear"
    layers: tuple[int, ...] | None = None
    """Layers to adapt; null is all. The backward pass ends at the lowest one, so the upper half costs half of it."""
    use_rslora: bool = False
    start: Path | None = None
    """An adapter's folder to go on from, of the same base, rank and modules; null starts with a fresh one."""


class Rollouts(Section):
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


class Distributed(Section):
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


class Evaluation(Section):
    temperature: Weight = 0.0
    """0 is greedy."""
    samples: Positive = 1
    batch_size: Positive = 48
    every: Annotated[int, Field(ge=0)] = 0
    """Score the held-out problems every so many steps as well; 0 only before and after training."""


class Tracking(Section):
    report_to: tuple[Literal["wandb", "tensorboard", "trackio"], ...] = ()
    """Trackers besides the `metrics.jsonl` that is always written; wandb runs offline when there is no key."""
    project: str = "heed"


class Run(Section):
    name: FileName = "run"
    folder: Path | None = None
    """Where the run writes; null takes the next free `runs/<name>-<number>`."""
    grace: Seconds = 120.0
    """After SIGTERM, seconds for the step under way to end and be saved; then the run stops as it was saved before."""


def stated_keys(algorithm: Algorithm) -> dict[str, str]:
    """TRL field -> the key of ours that sets it."""
    keys = {name: f"trainer.{name}" for name in Trainer.model_fields}
    if algorithm == "grpo":
        return keys
    return {name: key for name, key in keys.items() if name not in GRPO_ONLY} | {
        name: f"dpo.{name}" for name in Dpo.model_fields
    }


class Config(Section):
    """One run. `heed train RECIPE --dry-run` prints it resolved."""

    algorithm: Algorithm = "grpo"
    """`dpo` trains on the preference pairs of `data.path`, or with `pairs.rounds` on pairs that it makes itself."""
    resume: Path | None = None
    """A run folder to continue from its newest complete checkpoint."""
    model: Model = Model()
    data: Data = Data()
    rewards: Rewards = Rewards()
    credit: Credit = Credit()
    probe: Probe = Probe()
    trainer: Trainer = Trainer()
    dpo: Dpo = Dpo()
    pairs: Pairs = Pairs()
    lora: Lora = Lora()
    routing: Routing = Routing()
    rollouts: Rollouts = Rollouts()
    distributed: Distributed = Distributed()
    evaluation: Evaluation = Evaluation()
    tracking: Tracking = Tracking()
    run: Run = Run()
    trl: dict[str, object] = Field(default_factory=dict)
    """Any other field of TRL's GRPOConfig or DPOConfig, passed through after a check of its name."""

    @field_validator("trl")
    @classmethod
    def _trl_fields_are_free(cls, block: dict[str, object], info: Any) -> dict[str, object]:
        algorithm = info.data.get("algorithm", "grpo")
        if problems := refusals(block, algorithm=algorithm, stated=stated_keys(algorithm)):
            raise ValueError("\n".join(problems))
        return block

    @model_validator(mode="after")
    def _settings_agree(self) -> "Config":
        # Imported here: the contradictions are written in terms of these classes.
        from rl.contradictions import contradictions

        if found := list(contradictions(self)):
            raise ValueError("\n".join(found))
        return self
