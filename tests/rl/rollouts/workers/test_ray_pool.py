"""The pool on real Ray: workers die, hang or get damaged adapters; requests are answered, or an error says why."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rl.common.errors import RunFailure
from rl.config.rollouts import RolloutsConfig
from rl.rollouts.adapter_bytes import serialize_adapter
from rl.rollouts.interfaces import DroppedRequest, SampledRequest
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.dispatcher import Dispatcher
from rl.rollouts.workers.ray_pool import Connection, RayWorkerPool, connect
from rl.rollouts.workers.weight_sync import Tolerance, weight_fingerprint
from tests.rl.ray_fixture import one_ray
from tests.rl.rollouts.fake_engine import ToyFactory, toy_adapter

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves sockets to the garbage collector

SETTINGS = RolloutsConfig(workers=2, cpus=0.1, object_store_mb=80, start_limit=240.0, time_limit=240.0)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with one_ray() as connection:
        yield connection


def make_request(position: int, *, version: int = 0) -> RolloutRequest:
    return RolloutRequest(position=position, prompts=((1, 2), (3,)), num_generations=2, version=version, seed=0)


def publish(dispatcher: Dispatcher, version: int) -> None:
    state = toy_adapter(float(version))
    logprobs = [float(tensor.sum()) for tensor in state.values()]
    dispatcher.publish(serialize_adapter(state), weight_fingerprint(state, logprobs, owner="learner", version=version))


@pytest.fixture
def start_dispatcher(connection, tmp_path) -> Iterator[Any]:
    """Makes dispatchers of toy workers, and closes them after the test."""
    made: list[Dispatcher] = []

    def make(
        factory: ToyFactory | None = None, pool: type[RayWorkerPool] = RayWorkerPool, **changes: Any
    ) -> Dispatcher:
        settings = SETTINGS.model_copy(update=changes)
        factory = factory or ToyFactory(marks=tmp_path)
        made.append(Dispatcher(pool(factory, settings, connection), settings, tolerance=Tolerance(1e-4)))
        return made[-1]

    yield make
    for dispatcher in made:
        dispatcher.close()


def test_connect__makes_ray_listen_on_the_loopback_only(connection):
    assert connection.address.startswith("127.0.0.1:")


STARTS_RAY = """
import os, sys
import ray  # as TRL does where vLLM is installed, long before Heed starts Ray
from rl.config.rollouts import RolloutsConfig
from rl.rollouts.workers.ray_pool import TOKEN, connect
print("ready", flush=True)
sys.stdin.readline()
connection = connect(RolloutsConfig(workers=1, object_store_mb=80), cpus=1.0)
print(ray.get(ray.remote(lambda: 7).remote()), connection.session, connection.address, os.environ[TOKEN])
connection.close()
"""


@pytest.mark.slow
def test_connect__two_first_starts_at_the_same_moment_do_not_meet_whatever_was_imported_before(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", STARTS_RAY],
            env=environment | {"HOME": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert all(process.stdout and process.stdout.readline() == "ready\n" for process in processes)
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    first, second = (process.communicate(timeout=480.0)[0].split() for process in processes)
    assert first[0] == second[0] == "7"
    assert not set(first[1:]) & set(second[1:])  # neither session nor address nor token
    assert not (tmp_path / ".ray").exists()


def test_requests__are_sampled_with_the_version_they_ask_for(start_dispatcher):
    dispatcher = start_dispatcher()
    requests = [make_request(position, version=version) for version in (1, 2) for position in (0, 2, 4)]
    for version in (1, 2):
        publish(dispatcher, version)
        dispatcher.submit([request for request in requests if request.version == version])
    outcomes = dispatcher.collect(requests)
    for request, outcome in zip(requests, outcomes, strict=True):
        assert [sample.completion_ids for sample in outcome.samples] == [(request.position, request.version)] * 4


@pytest.mark.parametrize("failure", ["die", "raise"])
def test_failing_once__a_request_is_sampled_by_another_try(failure, start_dispatcher, tmp_path):
    dispatcher = start_dispatcher(ToyFactory(marks=tmp_path, failure=failure, positions=(2,)))
    publish(dispatcher, 0)
    requests = [make_request(position) for position in (0, 2, 4)]
    dispatcher.submit(requests)
    outcomes = dispatcher.collect(requests)
    assert len(outcomes) == 3 and all(isinstance(outcome, SampledRequest) for outcome in outcomes)
    figures = dispatcher.pop_counters()
    assert figures.reissued == 1
    assert figures.restarted == (1 if failure == "die" else 0)


def test_hung_worker__is_replaced_at_its_time_limit(start_dispatcher, tmp_path):
    dispatcher = start_dispatcher(ToyFactory(marks=tmp_path, failure="hang", positions=(0,)), workers=1, time_limit=3.0)
    publish(dispatcher, 0)
    dispatcher.submit([make_request(0)])
    (outcome,) = dispatcher.collect([make_request(0)])
    assert isinstance(outcome, SampledRequest)
    assert dispatcher.pop_counters().restarted == 1


def test_failing_request__is_dropped_with_its_cause(start_dispatcher, tmp_path):
    dispatcher = start_dispatcher(ToyFactory(marks=tmp_path, failure="raise", positions=(2,), times=99), tries=2)
    publish(dispatcher, 0)
    requests = [make_request(0), make_request(2)]
    dispatcher.submit(requests)
    sampled, dropped = dispatcher.collect(requests)
    assert isinstance(sampled, SampledRequest)
    assert isinstance(dropped, DroppedRequest)
    assert dropped.reason.startswith("failed 2 times, last on worker-0.")
    assert dropped.reason.endswith("ValueError: odd prompt")


class DamagingPool(RayWorkerPool):
    """The last byte of every adapter changes on its way."""

    def put(self, payload: bytes) -> Any:
        return super().put(payload[:-1] + bytes([payload[-1] ^ 0x40]))


def test_damaged_adapter__stops_the_run(start_dispatcher):
    dispatcher = start_dispatcher(pool=DamagingPool)
    publish(dispatcher, 7)
    dispatcher.submit([make_request(0, version=7)])
    with pytest.raises(RunFailure, match=r"worker-0\.\d, policy version 7: a\.lora_B is not what was published"):
        dispatcher.collect([make_request(0, version=7)])


def test_connect__names_an_address_without_a_cluster(monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(RunFailure, match=r"address=10.0.0.1:6379: no Ray cluster answers there \(nobody home\)"):
        connect(RolloutsConfig(workers=1, address="10.0.0.1:6379"), cpus=1.0)


def refuse(**_: Any) -> None:
    """What Ray does at an address where nobody answers, without the wait."""
    raise ConnectionError("nobody home")


def test_failed_start__is_reported_with_its_cause(start_dispatcher, tmp_path):
    # the recipe itself fails in the worker: there is no such folder to look into
    dispatcher = start_dispatcher(BrokenFactory(marks=tmp_path), workers=1, tries=1)
    publish(dispatcher, 0)
    dispatcher.submit([make_request(0)])
    with pytest.raises(RunFailure, match=r"no rollout worker is left: worker-0\.0.*no model here"):
        dispatcher.collect([make_request(0)])


def test_failed_start__that_no_other_try_mends_stops_the_run_at_once(start_dispatcher, tmp_path):
    dispatcher = start_dispatcher(RefusingFactory(marks=tmp_path), workers=1, tries=3)
    publish(dispatcher, 0)
    dispatcher.submit([make_request(0)])
    with pytest.raises(RunFailure, match=r"^vLLM: ValueError: no memory$"):
        dispatcher.collect([make_request(0)])
    assert dispatcher.pop_counters().restarted == 0


def test_worker_with_a_gpu__sees_that_one_alone_and_its_replacement_too(connection, tmp_path):
    pool = RayWorkerPool(SeeingFactory(marks=tmp_path), SETTINGS, connection, gpus=("4", "7"))
    workers = {name: pool.spawn(name) for name in ("worker-0.0", "worker-0.1")}
    pool.end(workers["worker-0.1"])
    workers["worker-0.1"] = pool.spawn("worker-0.1")
    for worker in workers.values():
        assert pool.wait([pool.start(worker)], timeout=240.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["worker-0.0 4 0", "worker-0.1 7 0"]
    for worker in workers.values():
        pool.end(worker)


class SeeingFactory(ToyFactory):
    """Leaves a file named by the worker, its GPUs and its local rank."""

    def __call__(self, name: str) -> Any:
        (self.marks / f"{name} {os.environ['CUDA_VISIBLE_DEVICES']} {os.environ['LOCAL_RANK']}").touch()
        return super().__call__(name)


class RefusingFactory(ToyFactory):
    def __call__(self, name: str) -> Any:
        raise RunFailure("vLLM: ValueError: no memory")


class BrokenFactory(ToyFactory):
    def __call__(self, name: str) -> Any:
        raise OSError(f"no model here: {Path('nowhere')}")
