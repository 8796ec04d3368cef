"""The real vLLM against the learner: log-probs, versions, routed adapters, and what attestation has to notice.

One engine serves the module. Its CPU build knows no heads of 16, as `tiny` has, hence the served model.
"""

import copy
import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load, save

from rl.common.errors import RunFailure
from rl.config.model import AdapterConfig, ModelConfig
from rl.config.rollouts import RolloutsConfig
from rl.config.routing import RoutingConfig
from rl.models.load import load_tokenizer
from rl.models.tokenization import encode_prompt
from rl.rollouts.adapter_bytes import host_adapter, serialize_adapter
from rl.rollouts.engine_hf import TransformersEngine, worker_engine
from rl.rollouts.engine_vllm import VllmEngine, import_vllm
from rl.rollouts.engines import EngineSetup
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.interfaces import PROBED, SampledRequest
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.workers.dispatcher import Dispatcher
from rl.rollouts.workers.factory import WorkerFactory
from rl.rollouts.workers.ray_pool import RayWorkerPool
from rl.rollouts.workers.weight_sync import (
    PROBE_TEXT,
    Tolerance,
    WeightFingerprint,
    check_fingerprint,
    weight_fingerprint,
)
from rl.rollouts.workers.worker import Reply, Worker
from tests.rl.ray_fixture import one_ray
from tests.rl.rollouts.served_model import save_served_model

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("ignore"),  # vLLM's own
    pytest.mark.timeout(900),
]

TOLERANCE = 1e-4
OPTIONS = {"kv_cache_memory_bytes": 2**28, "enforce_eager": True, "max_model_len": 512}
ADAPTERS = ("upper", "lower", "title", "plain")
REQUEST = RolloutRequest(position=4, prompts=((17, 30, 40), (88, 9)), num_generations=2, version=1, seed=0)


@pytest.fixture(autouse=True)
def threads_stay():
    """vLLM binds threads for good when it starts, so the check of that name in tests/conftest.py is off here."""


@pytest.fixture(scope="module")
def setup(tmp_path_factory) -> EngineSetup:
    folder = save_served_model(tmp_path_factory.mktemp("served"))
    return EngineSetup(
        model=ModelConfig(name=str(folder), dtype="float32"),
        lora=AdapterConfig(r=4, alpha=8),
        routing=RoutingConfig(),
        generation=GenerationConfig(temperature=0.8, max_completion_length=12),
        options=OPTIONS,
    )


@pytest.fixture(scope="module")
def vllm(setup) -> SimpleNamespace:
    """vLLM's interface whose `LLM` is one that has been started, with room for all adapters."""
    real = import_vllm()
    routing = RoutingConfig(adapters=ADAPTERS)
    llm = VllmEngine(
        setup.model, lora=setup.lora, generation=setup.generation, routing=routing, options=OPTIONS, vllm=real
    ).llm
    return SimpleNamespace(LLM=lambda **_: llm, SamplingParams=real.SamplingParams, lora=real.lora)


@pytest.fixture(scope="module")
def probe_ids() -> tuple[int, ...]:
    return encode_prompt(load_tokenizer("tiny"), PROBE_TEXT)


def make_worker(kind: type[VllmEngine], setup: EngineSetup, vllm: Any, probe_ids: tuple[int, ...]) -> Worker:
    engine = kind(setup.model, lora=setup.lora, generation=setup.generation, routing=setup.routing, vllm=vllm)
    return Worker(engine, name="worker-0", probe_ids=probe_ids)


def train(learner: TransformersEngine, version: int) -> bytes:
    """Give every adapter new weights, as a training would; return them as they are published."""
    torch.manual_seed(version)
    with torch.no_grad():
        for name, parameter in learner.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return serialize_adapter(host_adapter(learner.model))


def fingerprint(learner: TransformersEngine, probe_ids: tuple[int, ...], version: int) -> WeightFingerprint:
    state = host_adapter(learner.model)
    return weight_fingerprint(state, learner.token_logprobs(probe_ids), owner="learner", version=version)


def sampling_gap(learner: TransformersEngine, samples: list[Sample], temperature: float) -> float:
    """Return the largest gap of the samples' log-probs to those that the learner computes at the temperature."""
    gaps = []
    for sample in samples:
        ids = torch.tensor([[*sample.prompt_ids, *sample.completion_ids]])
        gates = torch.tensor([sample.gates]) if sample.gates else None
        with torch.no_grad(), learner._routed(gates):
            logits = learner.model(ids).logits[0, len(sample.prompt_ids) - 1 : -1] / temperature
        expected = logits.log_softmax(-1).gather(1, torch.tensor(sample.completion_ids)[:, None]).squeeze(1)
        gaps.append((expected - torch.tensor(sample.logprobs)).abs().max().item())
    return max(gaps)


def test_versions__are_sampled_with_the_learners_log_probs(setup, vllm, probe_ids):
    assert len(probe_ids) > vllm.LLM().llm_engine.vllm_config.cache_config.block_size + PROBED
    learner, worker = worker_engine(setup), make_worker(VllmEngine, setup, vllm, probe_ids)
    previous, answers = None, []
    for version in (1, 2):
        payload = train(learner, version)
        sent, active = fingerprint(learner, probe_ids, version), worker.load_adapter(version, payload)
        check_fingerprint(sent, active, previous=previous, tolerance=Tolerance(TOLERANCE))
        request = replace(REQUEST, version=version)
        answers.append(worker.sample(request).samples)
        assert worker.sample(request).samples == answers[-1]  # to the last bit
        assert sampling_gap(learner, answers[-1], setup.generation.temperature) <= TOLERANCE
        previous = sent
    assert answers[0] != answers[1]


def test_routing__each_row_is_sampled_with_the_adapter_of_its_task(setup, vllm, probe_ids):
    routed = replace(setup, routing=RoutingConfig(adapters=ADAPTERS, ranks={"title": 8}))
    learner, worker = worker_engine(routed), make_worker(VllmEngine, routed, vllm, probe_ids)
    active = worker.load_adapter(1, train(learner, 1))
    assert len(active.logprobs) == len(ADAPTERS) * PROBED
    check_fingerprint(fingerprint(learner, probe_ids, 1), active, previous=None, tolerance=Tolerance(TOLERANCE))
    # one prompt for all, so that nothing but the adapter tells the rows apart
    request = replace(REQUEST, prompts=((17, 30, 40),) * len(ADAPTERS), tasks=ADAPTERS)
    samples = worker.sample(request).samples
    assert [sample.gates.index(1.0) for sample in samples] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert sampling_gap(learner, samples, setup.generation.temperature) <= TOLERANCE
    others = [replace(sample, gates=(*sample.gates[1:], sample.gates[0])) for sample in samples]
    assert sampling_gap(learner, others, setup.generation.temperature) > 0.01


class ReusesName(VllmEngine):
    """Gives every version the name of the first, as a server that loads in place does: the cached prompts are stale."""

    def _new_name(self, adapter: str) -> tuple[str, int]:
        return f"{type(self).__name__}-{adapter}", super()._new_name(adapter)[1]

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        self._logprobs.clear()  # the engine's own, by name
        return super().load_adapter(payload)


class ReusesNumber(ReusesName):
    """And its number, by which vLLM knows the weights that it has loaded."""

    def _new_name(self, adapter: str) -> tuple[str, int]:
        return super()._new_name(adapter)[0], 1_000


class Misnames(VllmEngine):
    """Writes tensors under names of another model, which vLLM loads, and says that all is well."""

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        self.sent = load(payload)
        names = {name: name.replace("model.layers", "model.language_model.layers") for name in self.sent}
        super().load_adapter(save({names[name]: tensor for name, tensor in self.sent.items()}))
        return ()

    def active_tensors(self) -> dict[str, torch.Tensor]:
        return self.sent


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (ReusesName, r"log-probs differ by .* what the worker cached of an earlier version"),
        (ReusesNumber, r"log-probs differ by .* what the worker cached of an earlier version"),
        (Misnames, r"adapter default was loaded, but the worker samples without it"),
    ],
)
def test_attestation__notices_what_equal_tensors_hide(kind, message, setup, vllm, probe_ids):
    learner, worker = worker_engine(setup), make_worker(kind, setup, vllm, probe_ids)
    for version in (1, 2):
        active = worker.load_adapter(version, train(learner, version))
    sent = fingerprint(learner, probe_ids, 2)
    assert (active.digest, active.missing) == (sent.digest, ())
    with pytest.raises(RunFailure, match=message):
        check_fingerprint(sent, active, previous=None, tolerance=Tolerance(TOLERANCE))


def test_attestation__a_tensor_without_a_module_stops_the_run(setup, vllm, probe_ids):
    learner, worker = worker_engine(setup), make_worker(VllmEngine, setup, vllm, probe_ids)
    renamed = {
        name.replace("model.layers.1.", "model.language_model.layers.1."): tensor
        for name, tensor in load(train(learner, 1)).items()
    }
    active = worker.load_adapter(1, serialize_adapter(renamed))
    with pytest.raises(RunFailure, match=r"model\.language_model\.layers\.1\..* did not reach the worker"):
        check_fingerprint(fingerprint(learner, probe_ids, 1), active, previous=None, tolerance=Tolerance(TOLERANCE))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"no_such_option": 1}, r"vLLM: TypeError: .*no_such_option"),
        ({"max_model_len": 1_000_000}, r"vLLM: \w*Error: .*max_model_len.*1000000"),
    ],
)
def test_start__fails_with_vllms_own_reason(options, reason, setup, vllm):
    with pytest.raises(RunFailure, match=reason):
        VllmEngine(setup.model, lora=setup.lora, generation=setup.generation, options=OPTIONS | options)


@dataclass(frozen=True, kw_only=True)
class DyingFactory:
    """Makes workers the first of which dies when it has sampled; every answer is left in `marks`."""

    factory: WorkerFactory
    marks: Path

    def __call__(self, name: str) -> Worker:
        worker = copy.copy(self.factory(name))
        worker.__class__ = DyingWorker
        worker.marks = self.marks  # pyright: ignore[reportAttributeAccessIssue]
        return worker


class DyingWorker(Worker):
    marks: Path

    def sample(self, request: RolloutRequest) -> Reply:
        reply = super().sample(request)
        number = len(list(self.marks.iterdir()))
        (self.marks / f"{number}").write_bytes(pickle.dumps(reply.samples))
        if number == 0:
            os._exit(1)
        return reply


@pytest.fixture
def two_cpus(monkeypatch) -> None:
    """Bind two ranks of one engine to a CPU each; by itself vLLM wants a NUMA node for each."""
    first, second, *_ = sorted(os.sched_getaffinity(0))
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", f"{first}|{second}")


@pytest.fixture
def connection() -> Iterator[Any]:
    with one_ray() as connection:
        yield connection


def test_killed_worker__its_unit_is_sampled_by_another_with_the_same_tokens(connection, smollm2_path, tmp_path):
    setup = EngineSetup(
        model=ModelConfig(name=str(smollm2_path), dtype="float32"),
        lora=AdapterConfig(r=4, alpha=8),
        routing=RoutingConfig(),
        generation=GenerationConfig(temperature=1.0, max_completion_length=8),
        options=OPTIONS,
    )
    learner = worker_engine(setup)
    probe_ids = encode_prompt(learner.tokenizer, PROBE_TEXT)
    factory = WorkerFactory(engine="vllm", setup=setup, probe_ids=probe_ids)
    settings = RolloutsConfig(workers=1, cpus=0.1, engine="vllm", start_limit=400.0, time_limit=400.0)
    pool = RayWorkerPool(DyingFactory(factory=factory, marks=tmp_path), settings, connection)
    dispatcher = Dispatcher(pool, settings, tolerance=Tolerance(TOLERANCE))
    try:
        dispatcher.publish(train(learner, 1), fingerprint(learner, probe_ids, 1))
        request = replace(REQUEST, prompts=(encode_prompt(learner.tokenizer, "Name a fruit."),))
        dispatcher.submit([request])
        (outcome,) = dispatcher.collect([request])
        counters = dispatcher.pop_counters()
    finally:
        dispatcher.close()
    assert isinstance(outcome, SampledRequest)
    assert (counters.reissued, counters.restarted) == (1, 1)
    first, second = (pickle.loads((tmp_path / str(number)).read_bytes()) for number in range(2))
    assert first == second == outcome.samples
    assert sampling_gap(learner, outcome.samples, 1.0) <= TOLERANCE


def test_tensor_parallel__ranks_sample_with_the_learners_log_probs_and_end_with_their_worker(
    two_cpus, connection, setup, probe_ids
):
    sharded = replace(setup, options=OPTIONS | {"tensor_parallel_size": 2})
    learner, factory = worker_engine(setup), WorkerFactory(engine="vllm", setup=sharded, probe_ids=probe_ids)
    settings = RolloutsConfig(workers=1, cpus=0.1, engine="vllm", start_limit=400.0, time_limit=400.0)
    before = set(psutil.process_iter())
    dispatcher = Dispatcher(RayWorkerPool(factory, settings, connection), settings, tolerance=Tolerance(TOLERANCE))
    try:
        for version in (1, 2):
            dispatcher.publish(train(learner, version), fingerprint(learner, probe_ids, version))
            request = replace(REQUEST, version=version)
            dispatcher.submit([request])
            (outcome,) = dispatcher.collect([request])
            assert isinstance(outcome, SampledRequest)
            assert sampling_gap(learner, outcome.samples, setup.generation.temperature) <= TOLERANCE
        ranks = [one for one in set(psutil.process_iter()) - before if one.name().startswith("VLLM::Worker")]
        assert len(ranks) == 2
    finally:
        dispatcher.close()
    _, left = psutil.wait_procs(ranks, timeout=60.0)
    assert left == []
