"""Remote sampling: the learner's adapter is published to workers, which answer requests and prove what they used."""

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from rl.common.distributed import gathered_parameters
from rl.common.errors import UserError
from rl.config.engines import ENGINES
from rl.config.rollouts import RolloutsConfig
from rl.config.root import Config
from rl.models.load import end_token_ids, resolve_dtype
from rl.models.tokenization import encode_prompt
from rl.rollouts.adapter_bytes import adapter_size, host_adapter, planned_adapter, serialize_adapter
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.engines import EngineSetup, ServerSetup, import_package
from rl.rollouts.generation import generation_config
from rl.rollouts.interfaces import Outcome
from rl.rollouts.ledger import Ledger
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.dispatcher import Dispatcher
from rl.rollouts.workers.factory import WorkerFactory
from rl.rollouts.workers.placement import place_workers
from rl.rollouts.workers.pool import WorkerPool
from rl.rollouts.workers.ray_pool import TOKEN, Connection, RayWorkerPool, connect
from rl.rollouts.workers.ray_session import record_session
from rl.rollouts.workers.served_record import record_names
from rl.rollouts.workers.server_check import check_server
from rl.rollouts.workers.server_pool import ServerPool
from rl.rollouts.workers.weight_sync import PROBE_TEXT, UNCACHED_PROBE_TOKENS, Tolerance, weight_fingerprint
from rl.routing.route import Route

TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 0.1}
"""Nats by which log-probs of the probe text may differ.

In bfloat16, another kernel or other padding moved SmolLM2's by 0.05 in the mean and 0.1 at the 0.9 quantile.
"""

LEAST_STORE_MB = 200
SLACK = 1.25
"""Shared memory for each byte of an adapter: Ray keeps its own objects there, too."""


@dataclass(kw_only=True, slots=True)
class RemoteSampler:
    """Publishes the learner's versions to a dispatcher's workers, and has requests answered by them."""

    dispatcher: Dispatcher
    learner: TransformersEngine
    """An engine on the live model, for its fingerprints."""
    probe_ids: tuple[int, ...]

    def route_by(self, route: Route) -> None:
        self.learner.route = route

    def publish(self, version: int) -> dict[str, float]:
        start = time.perf_counter()
        with gathered_parameters(self.learner.model):
            state = host_adapter(self.learner.model)
        payload = serialize_adapter(state)
        fingerprint = weight_fingerprint(
            state, self.learner.token_logprobs(self.probe_ids), owner="learner", version=version
        )
        self.dispatcher.publish(payload, fingerprint)
        return {
            "sync/bytes": float(len(payload)),
            "sync/publish_seconds": time.perf_counter() - start,
            "sync/zero_tensors": float(len(fingerprint.zeros)),
        }

    def submit(self, requests: Sequence[RolloutRequest]) -> None:
        self.dispatcher.submit(requests)

    def collect(self, requests: Sequence[RolloutRequest]) -> list[Outcome]:
        return self.dispatcher.collect(requests)

    def pop_metrics(self) -> dict[str, float]:
        counters = self.dispatcher.pop_counters()
        return {
            "sync/probe_gap": counters.probe_gap.largest,
            "sync/probe_gap_mean": counters.probe_gap.mean,
            "sync/probe_gap_quantile": counters.probe_gap.quantile,
            "sync/worker_idle_seconds": counters.idle_seconds,
            "sync/handover_seconds": counters.handover_seconds,
            "sync/reissued_units": float(counters.reissued),
            "sync/restarted_workers": float(counters.restarted),
        }

    def finished(self) -> dict[RolloutRequest, Outcome]:
        return self.dispatcher.finished()

    def close(self) -> None:
        self.dispatcher.close()


def start_remote_sampler(config: Config, learner: TransformersEngine, ledger: Ledger | None) -> RemoteSampler:
    """Start this rank's share of the workers; they load their models while this process goes on."""
    import_package(config.rollouts.engine)  # a missing package is better reported here than by a worker
    caches_prompts = ENGINES[config.rollouts.engine].caches_prompts
    length = config.rollouts.vllm.max_model_len if caches_prompts else UNCACHED_PROBE_TOKENS
    probe_ids = encode_prompt(learner.tokenizer, PROBE_TEXT)[:length]
    tolerance = allowed_gap(config.rollouts, resolve_dtype(config.model.dtype))
    start_pool = _server_pool if config.rollouts.on_servers else _ray_pool
    pool, workers = start_pool(config, learner, ledger, probe_ids, tolerance)
    settings, rank = config.rollouts.model_copy(update={"workers": workers}), PartialState().process_index
    dispatcher = Dispatcher(pool, settings, tolerance=tolerance, observer=ledger, rank=rank)
    return RemoteSampler(dispatcher=dispatcher, learner=learner, probe_ids=probe_ids)


def _ray_pool(
    config: Config, learner: TransformersEngine, ledger: Ledger | None, probe_ids: tuple[int, ...], tolerance: Tolerance
) -> tuple[WorkerPool, int]:
    """Connect to Ray; return the pool of this rank's actors, and how many there are to be."""
    ranks, gpus = PartialState(), place_workers(config)
    size = store_size(config, adapter_size(learner.model, config.lora, config.routing))
    settings = config.rollouts.model_copy(update={"workers": config.workers_per_rank, "object_store_mb": size})
    connection = connect_ranks(settings, ranks)
    if ledger is not None and connection.started:
        record_session(ledger.path.parent, connection.session)
    factory = WorkerFactory(engine=settings.engine, setup=engine_setup(config), probe_ids=probe_ids)
    return RayWorkerPool(factory, settings, connection, gpus=gpus), settings.workers


def _server_pool(
    config: Config, learner: TransformersEngine, ledger: Ledger | None, probe_ids: tuple[int, ...], tolerance: Tolerance
) -> tuple[WorkerPool, int]:
    """Check the servers; return the pool of this rank's threads that ask them, and how many there are to be."""
    settings, ranks = config.rollouts, config.distributed.processes
    ends = tuple(sorted(end_token_ids(learner.model, learner.tokenizer)))
    setup, run = engine_setup(config), None if ledger is None else ledger.path.parent
    names = record_names(run, settings.urls, settings.adapter_folder)
    setups = [
        replace(
            setup,
            server=ServerSetup(
                url=url,
                names=names,
                folder=settings.adapter_folder,
                stop_token_ids=ends,
                time_limit=settings.time_limit,
            ),
        )
        for url in settings.urls
    ]
    workers = max(-(-settings.workers // ranks), len(setups))
    planned = planned_adapter(learner.model, config.lora, config.routing)
    blank = serialize_adapter({name: torch.zeros(tensor.shape) for name, tensor in planned.items()})
    # Weights that DeepSpeed shards answer only once its engine is built; version 0 is compared then.
    base_logprobs = None if config.distributed.zero == 3 else learner.token_logprobs(probe_ids)
    versions = min(settings.max_staleness + 1, -(-workers // len(setups)))
    for one in setups:
        check_server(
            one,
            blank,
            probe_ids=probe_ids,
            base_logprobs=base_logprobs,
            tolerance=tolerance,
            adapters=ranks * versions * max(1, len(config.routing.adapters)),
        )
    return ServerPool(setups, probe_ids=probe_ids, start_limit=settings.start_limit), workers


def allowed_gap(settings: RolloutsConfig, dtype: torch.dtype) -> Tolerance:
    """Return how far the log-probs of workers may be from the learner's, for models of a dtype."""
    return Tolerance(settings.tolerance or TOLERANCES[dtype], rounded=dtype != torch.float32)


def store_size(config: Config, adapter_bytes: int) -> int | None:
    """Return the MiB of shared memory of a Ray that Heed starts; Ray would write to disk what does not fit.

    Each rank keeps the version that it publishes, the one before, and those of requests sampled ahead. Raises
    UserError when `rollouts.object_store_mb` is less.
    """
    settings, ranks = config.rollouts, config.distributed.processes
    versions = settings.max_staleness + 2
    needed = math.ceil(SLACK * adapter_bytes * versions * ranks / 2**20)
    if settings.object_store_mb is None:
        return max(needed, LEAST_STORE_MB)
    if settings.object_store_mb < needed:
        raise UserError(
            f"rollouts.object_store_mb={settings.object_store_mb} does not hold {versions} versions of an adapter of "
            f"{adapter_bytes / 2**20:.0f} MiB from each of {ranks} ranks; set at least {needed}, or leave it null"
        )
    return settings.object_store_mb


def engine_setup(config: Config) -> EngineSetup:
    generation = generation_config(config.trainer, config.rollouts)
    # As many threads as the learner's process would use: the last bits of a float depend on it.
    generation = replace(generation, threads=generation.threads or torch.get_num_threads())
    return EngineSetup(
        model=config.model,
        lora=config.lora,
        routing=config.routing,
        generation=generation,
        rounded_adapter=config.distributed.zero > 0,
        options=config.rollouts.vllm.options(config.rollouts.gpus) if config.rollouts.engine == "vllm" else {},
    )


def connect_ranks(settings: RolloutsConfig, ranks: PartialState) -> Connection:
    """Connect all ranks to one Ray cluster, which rank 0 starts or joins."""
    cpus = settings.workers * ranks.num_processes * settings.cpus
    connection = connect(settings, cpus=cpus) if ranks.is_main_process else None
    address, token = broadcast_object_list([connection and connection.address, os.environ.get(TOKEN)])
    if connection is None:
        os.environ.update({} if token is None else {TOKEN: token})
        return connect(settings.model_copy(update={"address": address}), cpus=cpus)
    return connection
