"""The pool on real Ray: workers die, hang, get damaged adapters; units are sampled all the same, or names are told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rl.common.errors import RunFailure
from rl.config.rollouts import RolloutsConfig as Settings
from rl.rollouts.interfaces import Dropped, Sampled
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.dispatcher import Dispatcher
from rl.rollouts.workers.ray_pool import Connection, RayWorkerPool, connect
from rl.rollouts.workers.weight_sync import serialize_adapter, weight_fingerprint
from tests.rl.ray_fixture import one_ray
from tests.rl.rollouts.fake_engine import ToyRecipe, toy_adapter

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves sockets to the garbage collector

SETTINGS = Settings(workers=2, cpus=0.1, object_store_mb=80, start_limit=240.0, time_limit=240.0)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with one_ray() as connection:
        yield connection


def make_unit(position: int, *, version: int = 0) -> RolloutRequest:
    return RolloutRequest(position=position, prompts=((1, 2), (3,)), num_generations=2, version=version, seed=0)


def publish(dispatcher: Dispatcher, version: int) -> None:
    state = toy_adapter(float(version))
    logprobs = [float(tensor.sum()) for tensor in state.values()]
    dispatcher.publish(serialize_adapter(state), weight_fingerprint(state, logprobs, owner="learner", version=version))


@pytest.fixture
def hire(connection, tmp_path) -> Iterator[Any]:
    """Makes dispatchers of toy workers, and sends the workers home."""
    made: list[Dispatcher] = []

    def make(recipe: ToyRecipe | None = None, pool: type[RayWorkerPool] = RayWorkerPool, **changes: Any) -> Dispatcher:
        settings = SETTINGS.model_copy(update=changes)
        recipe = recipe or ToyRecipe(marks=tmp_path)
        made.append(Dispatcher(pool(recipe, settings, connection), settings, tolerance=1e-4))
        return made[-1]

    yield make
    for dispatcher in made:
        dispatcher.close()


def test_ray_listens_on_the_loopback_only(connection):
    assert connection.address.startswith("127.0.0.1:")


def test_every_unit_is_sampled_with_the_version_it_asks_for(hire):
    dispatcher = hire()
    units = [make_unit(place, version=version) for version in (1, 2) for place in (0, 2, 4)]
    for version in (1, 2):
        publish(dispatcher, version)
        dispatcher.submit([unit for unit in units if unit.version == version])
    outcomes = dispatcher.collect(units)
    for unit, outcome in zip(units, outcomes, strict=True):
        assert [sample.completion_ids for sample in outcome.samples] == [(unit.position, unit.version)] * 4


@pytest.mark.parametrize("mischief", ["die", "raise"])
def test_a_unit_that_fails_once_is_sampled_by_another_try(mischief, hire, tmp_path):
    dispatcher = hire(ToyRecipe(marks=tmp_path, mischief=mischief, positions=(2,)))
    publish(dispatcher, 0)
    units = [make_unit(place) for place in (0, 2, 4)]
    dispatcher.submit(units)
    assert all(isinstance(outcome, Sampled) for outcome in dispatcher.collect(units))
    figures = dispatcher.read_figures()
    assert figures.reissued == 1
    assert figures.restarted == (1 if mischief == "die" else 0)


def test_a_hung_worker_is_replaced_at_its_time_limit(hire, tmp_path):
    dispatcher = hire(ToyRecipe(marks=tmp_path, mischief="hang", positions=(0,)), workers=1, time_limit=3.0)
    publish(dispatcher, 0)
    dispatcher.submit([make_unit(0)])
    (outcome,) = dispatcher.collect([make_unit(0)])
    assert isinstance(outcome, Sampled)
    assert dispatcher.read_figures().restarted == 1


def test_a_poisoned_unit_is_dropped_with_its_cause(hire, tmp_path):
    dispatcher = hire(ToyRecipe(marks=tmp_path, mischief="raise", positions=(2,), times=99), tries=2)
    publish(dispatcher, 0)
    units = [make_unit(0), make_unit(2)]
    dispatcher.submit(units)
    sampled, dropped = dispatcher.collect(units)
    assert isinstance(sampled, Sampled)
    assert isinstance(dropped, Dropped)
    assert dropped.reason.startswith("failed 2 times, last on worker-0.")
    assert dropped.reason.endswith("ValueError: odd prompt")


class DamagingCrew(RayWorkerPool):
    """The last byte of every adapter changes on its way."""

    def put(self, payload: bytes) -> Any:
        return super().put(payload[:-1] + bytes([payload[-1] ^ 0x40]))


def test_an_adapter_that_is_damaged_in_flight_stops_the_run(hire):
    dispatcher = hire(pool=DamagingCrew)
    publish(dispatcher, 7)
    dispatcher.submit([make_unit(0, version=7)])
    with pytest.raises(RunFailure, match=r"worker-0\.\d, policy version 7: a\.lora_B is not what was published"):
        dispatcher.collect([make_unit(0, version=7)])


def test_no_cluster_at_the_address_is_told(monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(RunFailure, match=r"address=10.0.0.1:6379: no Ray cluster answers there \(nobody home\)"):
        connect(Settings(workers=1, address="10.0.0.1:6379"), cpus=1.0)


def refuse(**_: Any) -> None:
    """What Ray does at an address where nobody answers, without the wait."""
    raise ConnectionError("nobody home")


def test_a_worker_that_cannot_start_has_its_cause_told(hire, tmp_path):
    # the recipe itself fails in the worker: there is no such folder to look into
    dispatcher = hire(BrokenRecipe(marks=tmp_path), workers=1, tries=1)
    publish(dispatcher, 0)
    dispatcher.submit([make_unit(0)])
    with pytest.raises(RunFailure, match=r"no rollout worker is left: worker-0\.0.*no model here"):
        dispatcher.collect([make_unit(0)])


class BrokenRecipe(ToyRecipe):
    def __call__(self, name: str) -> Any:
        raise OSError(f"no model here: {Path('nowhere')}")
