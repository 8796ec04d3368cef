"""Dispatcher: gives requests to workers, and again when a worker fails; every wait has a deadline."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rl.common.errors import RunFailure
from rl.config.rollouts import RolloutsConfig
from rl.rollouts.interfaces import DroppedRequest, Outcome, RequestObserver, SampledRequest
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.pool import WorkerFailure, WorkerPool
from rl.rollouts.workers.weight_sync import ProbeGap, Tolerance, WeightFingerprint, check_fingerprint, probe_gap
from rl.rollouts.workers.worker import Reply

POLL_SECONDS = 0.02
"""Longest wait for a worker before newly submitted requests are assigned."""

log = logging.getLogger("heed.rollouts")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Published:
    payload: Any
    learner: WeightFingerprint
    previous: WeightFingerprint | None


@dataclass(kw_only=True, slots=True)
class _Slot:
    """A named place for a worker, which is replaced when it dies."""

    name: str
    worker: Any
    job: Any
    """The call under way, None while idle."""
    deadline: float
    request: RolloutRequest | None = None
    """None while the worker starts."""
    failures: int = 0
    """Consecutive failures."""
    idle_since: float = 0.0
    assigned_at: float = 0.0
    """When the worker got its request."""


@dataclass(kw_only=True, slots=True)
class DispatchCounters:
    """What happened since the counters were last read."""

    probe_gap: ProbeGap = field(default_factory=ProbeGap)
    """The worst of each measure."""
    idle_seconds: float = 0.0
    handover_seconds: float = 0.0
    """The most that an answer took besides sampling: delivery of the request, and of the adapter at a new version."""
    reissued: int = 0
    restarted: int = 0


@dataclass(kw_only=True, slots=True)
class _State:
    """Everything that the dispatcher's thread and its caller share, under one lock."""

    queue: deque[RolloutRequest] = field(default_factory=deque)
    tries: dict[RolloutRequest, int] = field(default_factory=dict)
    done: dict[RolloutRequest, Outcome] = field(default_factory=dict)
    published: dict[int, _Published] = field(default_factory=dict)
    failure: BaseException | None = None
    closed: bool = False


class Dispatcher:
    """Has requests answered by `settings.workers` workers of a pool; `close` ends them.

    Raises RunFailure from `collect` when a worker's adapter is not the learner's, or when no worker is left.
    """

    def __init__(
        self,
        pool: WorkerPool,
        settings: RolloutsConfig,
        *,
        tolerance: Tolerance,
        observer: RequestObserver | None = None,
        rank: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.pool = pool
        self.settings = settings
        self.tolerance = tolerance
        self.observer = observer
        self.clock = clock
        self.counters = DispatchCounters()
        self._state = _State()
        self._changed = threading.Condition()
        self._slots = [self._new_slot(f"worker-{rank}.{number}") for number in range(settings.workers)]
        self._thread = threading.Thread(target=self._run, name="heed-dispatch", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------------------------------- called by the trainer

    def publish(self, payload: bytes, learner: WeightFingerprint) -> None:
        """Offer a version to the workers; each fetches it with its first request for that version."""
        reference = self.pool.put(payload)
        with self._changed:
            published = self._state.published
            previous = published[max(published)].learner if published else None
            published[learner.version] = _Published(payload=reference, learner=learner, previous=previous)
            needed = {request.version for request in self._state.tries} | {learner.version}
            self._state.published = {version: one for version, one in published.items() if version in needed}

    def submit(self, requests: Sequence[RolloutRequest]) -> None:
        with self._changed:
            self._state.queue.extend(requests)
            self._state.tries.update(dict.fromkeys(requests, 0))
            self._assign()
            self._changed.notify_all()

    def collect(self, requests: Sequence[RolloutRequest]) -> list[Outcome]:
        """Wait for submitted requests; return their outcomes in order."""
        with self._changed:
            while not all(request in self._state.done for request in requests):
                self._raise_failure()
                self._changed.wait(timeout=1.0)
            return [self._state.done.pop(request) for request in requests]

    def finished(self) -> dict[RolloutRequest, Outcome]:
        """Return the requests that are done and not collected yet."""
        with self._changed:
            return dict(self._state.done)

    def pop_counters(self) -> DispatchCounters:
        """Return the counters, and start new ones."""
        with self._changed:
            counters, self.counters = self.counters, DispatchCounters()
            return counters

    def close(self) -> None:
        with self._changed:
            self._state.closed = True
            self._changed.notify_all()
        self._thread.join(timeout=10.0)
        for slot in self._slots:
            self.pool.end(slot.worker)
        self.pool.close()

    def _raise_failure(self) -> None:
        if self._state.failure is not None:
            raise self._state.failure

    # ------------------------------------------------------------------------------------------------ run by the thread

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except BaseException as error:  # `collect` raises it in the trainer's thread
            with self._changed:
                self._state.failure = error
                self._changed.notify_all()

    def _step(self) -> bool:
        """Wait for a worker or a deadline, and act on it; return False once the dispatcher is closed."""
        with self._changed:
            if self._state.closed:
                return False
            busy = {slot.job: slot for slot in self._slots if slot.job is not None}
            if not busy:
                self._changed.wait(timeout=1.0)
                return True
        ready = self.pool.wait(list(busy), POLL_SECONDS)
        with self._changed:
            for job in ready:
                self._finish(busy[job])
            now = self.clock()
            for slot in busy.values():
                if slot.job is not None and now > slot.deadline:
                    self._time_out(slot)
            self._assign()
            self._changed.notify_all()
        return True

    def _assign(self) -> None:
        """Give queued requests to idle workers."""
        for slot in self._slots:
            if slot.job is None and self._state.queue:
                request = self._state.queue.popleft()
                now = self.clock()
                self.counters.idle_seconds += now - slot.idle_since
                slot.request, slot.assigned_at, slot.deadline = request, now, now + self.settings.time_limit
                slot.job = self.pool.sample(slot.worker, request, self._state.published[request.version].payload)

    def _finish(self, slot: _Slot) -> None:
        result = self.pool.result(slot.job)
        if isinstance(result, WorkerFailure):
            self._fail(slot, result.cause, replace=result.fatal or slot.request is None)
            return
        if slot.request is not None and result is not None:
            handover = self.clock() - slot.assigned_at - result.seconds
            self.counters.handover_seconds = max(self.counters.handover_seconds, handover)
            self._accept(slot.name, slot.request, result)
        slot.request, slot.job, slot.failures, slot.idle_since = None, None, 0, self.clock()

    def _accept(self, worker: str, request: RolloutRequest, reply: Reply) -> None:
        """Take a reply whose fingerprint is the learner's. Raises RunFailure for another one."""
        published, fingerprint = self._state.published[request.version], reply.fingerprint
        check_fingerprint(published.learner, fingerprint, previous=published.previous, tolerance=self.tolerance)
        self.counters.probe_gap = self.counters.probe_gap.worst(probe_gap(published.learner, fingerprint))
        outcome = SampledRequest(samples=reply.samples, worker=worker, seconds=reply.seconds, digest=fingerprint.digest)
        self._complete(request, outcome)

    def _complete(self, request: RolloutRequest, outcome: Outcome) -> None:
        del self._state.tries[request]
        self._state.done[request] = outcome

    def _time_out(self, slot: _Slot) -> None:
        limit = "rollouts.start_limit" if slot.request is None else "rollouts.time_limit"
        seconds = self.settings.start_limit if slot.request is None else self.settings.time_limit
        self._fail(slot, f"not finished within {limit}={seconds:g} s", replace=True)

    def _fail(self, slot: _Slot, cause: str, *, replace: bool) -> None:
        """Reissue a failed worker's request, and replace or remove the worker."""
        request, slot.request, slot.job = slot.request, None, None
        slot.failures += 1
        slot.idle_since = self.clock()
        if request is not None:
            self._reissue(request, slot.name, cause)
        else:
            log.warning("%s could not start: %s", slot.name, cause)
        if slot.failures >= self.settings.tries and request is None:
            self._remove(slot, cause)
        elif replace:
            self._replace(slot)

    def _reissue(self, request: RolloutRequest, worker: str, cause: str) -> None:
        """Queue a request again, first in line, or drop it after `settings.tries` tries."""
        self._state.tries[request] += 1
        if self._state.tries[request] < self.settings.tries:
            log.warning("%s, %s: %s; it is sampled again", worker, self._describe(request), cause)
            self.counters.reissued += 1
            if self.observer is not None and not request.is_evaluation:
                self.observer.reissued(request, f"{worker}: {cause}")
            self._state.queue.appendleft(request)
            return
        reason = f"failed {self.settings.tries} times, last on {worker}: {cause}"
        log.warning("%s is dropped: it %s", self._describe(request), reason)
        self._complete(request, DroppedRequest(reason=reason))

    def _describe(self, request: RolloutRequest) -> str:
        if self.observer is None or request.is_evaluation:
            return str(request)
        return self.observer.describe(request)

    def _remove(self, slot: _Slot, cause: str) -> None:
        """Do without a worker that cannot start. Raises RunFailure when it is the last."""
        self._slots.remove(slot)
        self.pool.end(slot.worker)
        log.warning("%s is given up after %d failed starts", slot.name, slot.failures)
        if not self._slots:
            raise RunFailure(f"no rollout worker is left: {slot.name}, the last one, {cause}")

    def _replace(self, slot: _Slot) -> None:
        self.counters.restarted += 1
        self.pool.end(slot.worker)
        new = self._new_slot(slot.name)
        slot.worker, slot.job, slot.deadline = new.worker, new.job, new.deadline

    def _new_slot(self, name: str) -> _Slot:
        worker = self.pool.spawn(name)
        job = self.pool.start(worker)
        return _Slot(name=name, worker=worker, job=job, deadline=self.clock() + self.settings.start_limit)
