"""The dispatcher: requests are answered whatever happens to workers, in bounded time, and by the right policy."""

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from rl.common.errors import RunFailure
from rl.config.rollouts import RolloutsConfig
from rl.rollouts.interfaces import DroppedRequest, SampledRequest
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.workers.dispatcher import Dispatcher
from rl.rollouts.workers.pool import WorkerFailure
from rl.rollouts.workers.weight_sync import ProbeGap, Tolerance, WeightFingerprint
from rl.rollouts.workers.worker import Reply


def make_request(position: int, version: int = 0) -> RolloutRequest:
    return RolloutRequest(position=position, prompts=((1, 2),), num_generations=2, version=version, seed=0)


def fingerprint_of(version: int, *, owner: str = "learner", **changes: Any) -> WeightFingerprint:
    values: dict[str, Any] = {
        "owner": owner,
        "version": version,
        "tensors": {"a.lora_B": f"digest of version {version}"},
        "logprobs": (-1.0, -2.0),
        "zeros": (),
        "missing": (),
    }
    return WeightFingerprint(**{**values, **changes})


def samples_of(request: RolloutRequest) -> list[Sample]:
    sample = Sample(
        prompt_ids=(1, 2),
        completion_ids=(request.position,),
        logprobs=(-0.5,),
        finish_reason="stop",
        version=request.version,
    )
    return [sample] * 2


@dataclass(eq=False)
class Job:
    """A call that returns at once, or hangs."""

    returns: Any


@dataclass
class FakePool:
    """Workers that do at once what the script says; a job that hangs never ends, and waiting for it advances the clock.

    `script` has the outcome of each try of the request at a position: a failure, "hang", or changed fingerprint fields.
    """

    script: dict[int, list] = field(default_factory=dict)
    starts: list = field(default_factory=list)
    now: float = 0.0
    spawned: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    sampled_by: list[tuple[int, str]] = field(default_factory=list)

    def spawn(self, name: str) -> str:
        self.spawned.append(name)
        return name

    def start(self, worker: str) -> Job:
        return Job(self.starts.pop(0) if self.starts else None)

    def sample(self, worker: str, request: RolloutRequest, payload: Any) -> Job:
        self.sampled_by.append((request.position, worker))
        tries = self.script.get(request.position, [])
        outcome = tries.pop(0) if tries else {}
        if not isinstance(outcome, dict):
            return Job(outcome)
        proof = replace(fingerprint_of(request.version, owner=worker), **outcome)
        return Job(Reply(samples=samples_of(request), fingerprint=proof, seconds=0.1))

    def put(self, payload: bytes) -> bytes:
        return payload

    def wait(self, jobs: list[Job], timeout: float) -> list[Job]:
        over = [job for job in jobs if job.returns != "hang"]
        if not over:
            self.now += timeout
        return over[:1]

    def result(self, job: Job) -> Any:
        return job.returns

    def end(self, worker: str) -> None:
        self.ended.append(worker)

    def close(self) -> None:
        pass


class RecordingObserver:
    def __init__(self):
        self.causes: list[tuple[int, str]] = []

    def reissued(self, request: RolloutRequest, cause: str) -> None:
        self.causes.append((request.position, cause))

    def describe(self, request: RolloutRequest) -> str:
        return f"{request}, problem p{request.position}"


def run(
    pool: FakePool,
    requests: list[RolloutRequest],
    *,
    workers: int = 2,
    observer: RecordingObserver | None = None,
    **settings: Any,
) -> list:
    """Return the outcomes of requests that are sampled with policies published before."""
    dispatcher = Dispatcher(
        pool,
        RolloutsConfig(workers=workers, **settings),
        tolerance=Tolerance(1e-4),
        observer=observer,
        clock=lambda: pool.now,
    )
    try:
        for version in sorted({request.version for request in requests}):
            dispatcher.publish(b"", fingerprint_of(version))
            dispatcher.submit([request for request in requests if request.version == version])
        return dispatcher.collect(requests)
    finally:
        dispatcher.close()


DIED = WorkerFailure(cause="ActorDiedError: killed", fatal=True)
RAISED = WorkerFailure(cause="ValueError: odd prompt", fatal=False)


def test_collect__returns_outcomes_in_the_order_of_the_requests():
    requests = [make_request(position) for position in (4, 0, 9)]
    outcomes = run(FakePool(), requests)
    assert [outcome.samples for outcome in outcomes] == [samples_of(request) for request in requests]


def test_dead_worker__is_replaced_and_its_request_reissued(caplog):
    pool, observer = FakePool(script={0: [DIED]}), RecordingObserver()
    with caplog.at_level(logging.WARNING):
        (outcome,) = run(pool, [make_request(0)], workers=1, observer=observer)
    assert isinstance(outcome, SampledRequest)
    assert pool.spawned == ["worker-0.0"] * 2
    assert observer.causes == [(0, "worker-0.0: ActorDiedError: killed")]
    message = "worker-0.0, group 0 (policy version 0), problem p0: ActorDiedError: killed; it is sampled again"
    assert message in caplog.text


def test_raising_worker__is_kept():
    pool = FakePool(script={0: [RAISED]})
    (outcome,) = run(pool, [make_request(0)], workers=1)
    assert isinstance(outcome, SampledRequest)
    assert pool.spawned == ["worker-0.0"]


def test_hung_worker__is_ended_at_its_time_limit():
    pool, observer = FakePool(script={0: ["hang"]}), RecordingObserver()
    (outcome,) = run(pool, [make_request(0)], workers=1, observer=observer, time_limit=30.0)
    assert isinstance(outcome, SampledRequest)
    assert 30.0 < pool.now < 31.0
    assert observer.causes == [(0, "worker-0.0: not finished within rollouts.time_limit=30 s")]
    assert pool.ended[0] == "worker-0.0"


@pytest.mark.parametrize("failure", [DIED, RAISED, "hang"])
def test_failing_request__is_dropped_after_its_tries_and_the_others_go_on(failure):
    pool = FakePool(script={1: [failure] * 3})
    outcomes = run(pool, [make_request(position) for position in range(3)], tries=3)
    assert [type(outcome) for outcome in outcomes] == [SampledRequest, DroppedRequest, SampledRequest]
    assert outcomes[1].reason.startswith("failed 3 times, last on worker-0.")
    assert sum(position == 1 for position, _ in pool.sampled_by) == 3


def test_failed_start__removes_the_worker_and_the_others_do_its_work():
    # the first slot fails three starts; the worker in the second one answers every request
    pool = FakePool(starts=[WorkerFailure(cause="MemoryError: no room", fatal=True), None, *[DIED] * 2])
    outcomes = run(pool, [make_request(position) for position in range(4)], tries=3)
    assert len(outcomes) == 4 and all(isinstance(outcome, SampledRequest) for outcome in outcomes)
    assert {worker for _, worker in pool.sampled_by} == {"worker-0.1"}


def test_failed_starts__stop_the_run_with_the_cause_when_no_worker_is_left():
    pool = FakePool(starts=[WorkerFailure(cause="OutOfMemoryError: no room", fatal=True)] * 4)
    with pytest.raises(RunFailure, match=r"no rollout worker is left: worker-0\.\d.*OutOfMemoryError: no room"):
        run(pool, [make_request(0)], tries=2)


def test_hung_start__is_ended_at_the_start_limit():
    pool = FakePool(starts=["hang"] * 4)
    with pytest.raises(RunFailure, match=r"not finished within rollouts.start_limit=5 s"):
        run(pool, [make_request(0)], tries=2, start_limit=5.0)
    assert pool.now < 11.0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"version": 1}, r"worker-0\.0, policy version 2: the worker sampled with version 1"),
        ({"missing": ("a.lora_B",)}, r"policy version 2: a.lora_B did not reach the worker"),
        ({"zeros": ("a.lora_B",)}, r"policy version 2: a.lora_B is all zero at the worker, but not at the learner"),
        ({"tensors": {"a.lora_B": "digest of version 1"}}, r"policy version 2: a.lora_B is still as in version 1"),
        ({"tensors": {"a.lora_B": "other"}}, r"policy version 2: a.lora_B is not what was published"),
        ({"logprobs": (-1.0, -2.001)}, r"differ by 0.001 at most.* \(rollouts.tolerance=0.0001\)"),
        ({"logprobs": (-1.0, float("nan"))}, r"log-probs differ by nan"),
    ],
)
def test_reply__from_another_policy_stops_the_run(change, expected):
    pool = FakePool(script={5: [change]})
    requests = [make_request(4, version=1), make_request(5, version=2)]
    with pytest.raises(RunFailure, match=expected):
        run(pool, requests, workers=1)


def test_pop_counters__report_a_gap_within_the_tolerance():
    pool = FakePool(script={0: [{"logprobs": (-1.0, -2.00005)}]})
    dispatcher = Dispatcher(pool, RolloutsConfig(workers=1), tolerance=Tolerance(1e-4))
    dispatcher.publish(b"", fingerprint_of(0))
    dispatcher.submit([make_request(0)])
    dispatcher.collect([make_request(0)])
    gap = dispatcher.pop_counters().probe_gap
    # of 0 and 0.00005: half of it in the mean, and nine tenths of the way between them
    assert (gap.largest, gap.mean, gap.quantile) == pytest.approx((5e-5, 2.5e-5, 4.5e-5))
    assert dispatcher.pop_counters().probe_gap == ProbeGap()
    dispatcher.close()


class SlowPool(FakePool):
    """Every reply takes 3 s, of which 0.1 were sampling."""

    def result(self, job: Job) -> Any:
        self.now += 3.0 if isinstance(job.returns, Reply) else 0.0
        return job.returns


def test_pop_counters__report_the_handover_once():
    pool = SlowPool()
    dispatcher = Dispatcher(pool, RolloutsConfig(workers=1), tolerance=Tolerance(1e-4), clock=lambda: pool.now)
    dispatcher.publish(b"", fingerprint_of(0))
    dispatcher.submit([make_request(0)])
    dispatcher.collect([make_request(0)])
    assert dispatcher.pop_counters().handover_seconds == pytest.approx(2.9)
    assert dispatcher.pop_counters().handover_seconds == 0.0
    dispatcher.close()
