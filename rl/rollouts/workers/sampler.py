"""Sampling by workers: the learner's adapter is published to them, and each proves what it samples with."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from rl.config.rollouts import RolloutsConfig
from rl.config.root import Config
from rl.models.load import resolve_dtype
from rl.models.tokenization import encode_prompt
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.engine_vllm import import_vllm
from rl.rollouts.interfaces import Dropped, Sampled
from rl.rollouts.ledger import Ledger
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.dispatcher import Dispatcher
from rl.rollouts.workers.factory import WorkerFactory
from rl.rollouts.workers.ray_pool import Connection, RayWorkerPool, connect
from rl.rollouts.workers.ray_session import record_session
from rl.rollouts.workers.weight_sync import PROBE_TEXT, adapter_state, serialize_adapter, weight_fingerprint
from rl.routing.route import Route

TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 0.1}
"""Of the probe prompt's log-probs; one bfloat16 kernel with other padding moves a logit by 0.56."""


@dataclass(kw_only=True, slots=True)
class RemoteSampler:
    """The dispatcher's workers, kept at the learner's versions."""

    dispatcher: Dispatcher
    learner: TransformersEngine
    """On the live model."""
    probe_ids: tuple[int, ...]

    def route_by(self, route: Route) -> None:
        self.learner.route = route

    def publish(self, version: int) -> dict[str, float]:
        start = time.perf_counter()
        state = adapter_state(self.learner.model)
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

    def submit(self, units: Sequence[RolloutRequest]) -> None:
        self.dispatcher.submit(units)

    def collect(self, units: Sequence[RolloutRequest]) -> list[Sampled | Dropped]:
        return self.dispatcher.collect(units)

    def figures(self) -> dict[str, float]:
        """What happened since the last call."""
        figures = self.dispatcher.read_figures()
        return {
            "sync/probe_gap": figures.gap,
            "sync/worker_idle_seconds": figures.idle_seconds,
            "sync/handover_seconds": figures.handover_seconds,
            "sync/reissued_units": float(figures.reissued),
            "sync/restarted_workers": float(figures.restarted),
        }

    def finished(self) -> dict[RolloutRequest, Sampled | Dropped]:
        return self.dispatcher.finished()

    def close(self) -> None:
        self.dispatcher.close()


def start_remote_sampler(config: Config, learner: TransformersEngine, ledger: Ledger | None) -> RemoteSampler:
    """Start this rank's share of the workers; they load their models while this process goes on."""
    ranks = PartialState()
    share = -(-config.rollouts.workers // ranks.num_processes)
    settings = config.rollouts.model_copy(update={"workers": share})
    connection = meet(settings, ranks)
    if ledger is not None and connection.started:
        record_session(ledger.path.parent, connection.session)
    probe_ids = encode_prompt(learner.tokenizer, PROBE_TEXT)
    if settings.engine == "vllm":
        import_vllm()  # said now rather than by a worker
    recipe = WorkerFactory(
        engine=settings.engine,
        model=config.model.name,
        dtype=config.model.dtype,
        lora=config.lora,
        routing=config.routing,
        temperature=config.trainer.temperature,
        max_completion_length=config.trainer.max_completion_length,
        threads=settings.threads or torch.get_num_threads(),
        probe_ids=probe_ids,
    )
    dispatcher = Dispatcher(
        RayWorkerPool(recipe, settings, connection),
        settings,
        tolerance=settings.tolerance or TOLERANCES[resolve_dtype(config.model.dtype)],
        notes=ledger,
        rank=ranks.process_index,
    )
    return RemoteSampler(dispatcher=dispatcher, learner=learner, probe_ids=probe_ids)


def meet(settings: RolloutsConfig, ranks: PartialState) -> Connection:
    """Rank 0 starts or joins the cluster and tells the others where it is: never one cluster a rank."""
    cpus = settings.workers * ranks.num_processes * settings.cpus
    connection = connect(settings, cpus=cpus) if ranks.is_main_process else None
    (address,) = broadcast_object_list([connection and connection.address])
    if connection is None:
        return connect(settings.model_copy(update={"address": address}), cpus=cpus)
    return connection
