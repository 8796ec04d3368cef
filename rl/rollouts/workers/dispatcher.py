"""Dispatch: units handed out to workers, and handed out again when one fails; a deadline on every wait."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rl.common.errors import RunFailure
from rl.config.rollouts import RolloutsConfig as Settings
from rl.rollouts.interfaces import Dropped, RequestObserver, Sampled
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.pool import WorkerFailure, WorkerPool
from rl.rollouts.workers.weight_sync import WeightFingerprint, check, probe_gap
from rl.rollouts.workers.worker import Reply

POLL = 0.02
"""Seconds between looks at what was submitted meanwhile."""

log = logging.getLogger("heed.rollouts")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Published:
    payload: Any
    learner: WeightFingerprint
    before: WeightFingerprint | None


@dataclass(kw_only=True, slots=True)
class _Slot:
    """One worker's place; who is in it changes when that one dies."""

    name: str
    worker: Any
    job: Any
    """The call it works on, None while idle."""
    deadline: float
    unit: RolloutRequest | None = None
    """None while it starts."""
    failures: int = 0
    """Since it last finished something."""
    idle_since: float = 0.0
    handed_out: float = 0.0
    """When it was given its unit."""


@dataclass(kw_only=True, slots=True)
class Figures:
    """What happened since it was last read."""

    gap: float = 0.0
    idle_seconds: float = 0.0
    handover_seconds: float = 0.0
    """The longest that a unit's worker needed beside sampling: to get it, and the adapter with a new version."""
    reissued: int = 0
    restarted: int = 0


@dataclass(kw_only=True, slots=True)
class _State:
    """Everything that the pool's thread and its caller share, under one lock."""

    queue: deque[RolloutRequest] = field(default_factory=deque)
    tries: dict[RolloutRequest, int] = field(default_factory=dict)
    done: dict[RolloutRequest, Sampled | Dropped] = field(default_factory=dict)
    published: dict[int, _Published] = field(default_factory=dict)
    failure: BaseException | None = None
    closed: bool = False


class Dispatcher:
    """Samples units on a crew of `settings.workers`; close it to send the crew home.

    Raises RunFailure from `collect` when a worker's adapter is not the learner's, or when no worker is left.
    """

    def __init__(
        self,
        pool: WorkerPool,
        settings: Settings,
        *,
        tolerance: float,
        notes: RequestObserver | None = None,
        rank: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.pool = pool
        self.settings = settings
        self.tolerance = tolerance
        self.notes = notes
        self.clock = clock
        self.figures = Figures()
        self._state = _State()
        self._changed = threading.Condition()
        self._slots = [self._new_slot(f"worker-{rank}.{number}") for number in range(settings.workers)]
        self._thread = threading.Thread(target=self._run, name="heed-dispatch", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------------------------------------ the caller's side

    def publish(self, payload: bytes, learner: WeightFingerprint) -> None:
        """Offer a version to the workers; each fetches it with the first unit that asks for it."""
        reference = self.pool.put(payload)
        with self._changed:
            published = self._state.published
            before = published[max(published)].learner if published else None
            published[learner.version] = _Published(payload=reference, learner=learner, before=before)
            needed = {unit.version for unit in self._state.tries} | {learner.version}
            self._state.published = {version: kept for version, kept in published.items() if version in needed}

    def submit(self, units: Sequence[RolloutRequest]) -> None:
        with self._changed:
            self._state.queue.extend(units)
            self._state.tries.update(dict.fromkeys(units, 0))
            self._assign()
            self._changed.notify_all()

    def collect(self, units: Sequence[RolloutRequest]) -> list[Sampled | Dropped]:
        """What became of submitted units, in their order; waits for them."""
        with self._changed:
            while not all(unit in self._state.done for unit in units):
                self._raise_failure()
                self._changed.wait(timeout=1.0)
            return [self._state.done.pop(unit) for unit in units]

    def finished(self) -> dict[RolloutRequest, Sampled | Dropped]:
        """Units that are done and not collected yet."""
        with self._changed:
            return dict(self._state.done)

    def read_figures(self) -> Figures:
        with self._changed:
            figures, self.figures = self.figures, Figures()
            return figures

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

    # ------------------------------------------------------------------------------------------------ the thread's side

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except BaseException as error:  # handed to the caller, who waits for the thread
            with self._changed:
                self._state.failure = error
                self._changed.notify_all()

    def _turn(self) -> bool:
        with self._changed:
            if self._state.closed:
                return False
            busy = {slot.job: slot for slot in self._slots if slot.job is not None}
            if not busy:
                self._changed.wait(timeout=1.0)
                return True
        ready = self.pool.wait(list(busy), POLL)
        with self._changed:
            for job in ready:
                self._finish(busy[job])
            now = self.clock()
            for slot in busy.values():
                if slot.job is not None and now > slot.deadline:
                    self._expire(slot)
            self._assign()
            self._changed.notify_all()
        return True

    def _assign(self) -> None:
        for slot in self._slots:
            if slot.job is None and self._state.queue:
                unit = self._state.queue.popleft()
                now = self.clock()
                self.figures.idle_seconds += now - slot.idle_since
                slot.unit, slot.handed_out, slot.deadline = unit, now, now + self.settings.time_limit
                slot.job = self.pool.sample(slot.worker, unit, self._state.published[unit.version].payload)

    def _finish(self, slot: _Slot) -> None:
        result = self.pool.result(slot.job)
        if isinstance(result, WorkerFailure):
            self._failed(slot, result.cause, replace=result.fatal or slot.unit is None)
            return
        if slot.unit is not None and result is not None:
            beside = self.clock() - slot.handed_out - result.seconds
            self.figures.handover_seconds = max(self.figures.handover_seconds, beside)
            self._keep(slot.name, slot.unit, result)
        slot.unit, slot.job, slot.failures, slot.idle_since = None, None, 0, self.clock()

    def _keep(self, worker: str, unit: RolloutRequest, reply: Reply) -> None:
        published = self._state.published[unit.version]
        check(published.learner, reply.fingerprint, before=published.before, tolerance=self.tolerance)
        self.figures.gap = max(self.figures.gap, probe_gap(published.learner, reply.fingerprint))
        digest = reply.fingerprint.digest
        self._settle(unit, Sampled(samples=reply.samples, worker=worker, seconds=reply.seconds, digest=digest))

    def _settle(self, unit: RolloutRequest, outcome: Sampled | Dropped) -> None:
        del self._state.tries[unit]
        self._state.done[unit] = outcome

    def _expire(self, slot: _Slot) -> None:
        limit = "rollouts.start_limit" if slot.unit is None else "rollouts.time_limit"
        seconds = self.settings.start_limit if slot.unit is None else self.settings.time_limit
        self._failed(slot, f"not finished within {limit}={seconds:g} s", replace=True)

    def _failed(self, slot: _Slot, cause: str, *, replace: bool) -> None:
        unit, slot.unit, slot.job = slot.unit, None, None
        slot.failures += 1
        slot.idle_since = self.clock()
        if unit is not None:
            self._reissue(unit, slot.name, cause)
        else:
            log.warning("%s could not start: %s", slot.name, cause)
        if slot.failures >= self.settings.tries and unit is None:
            self._give_up(slot, cause)
        elif replace:
            self._replace(slot)

    def _reissue(self, unit: RolloutRequest, worker: str, cause: str) -> None:
        self._state.tries[unit] += 1
        if self._state.tries[unit] < self.settings.tries:
            log.warning("%s, %s: %s; it is sampled again", worker, self._told(unit), cause)
            self.figures.reissued += 1
            if self.notes is not None:
                self.notes.reissued(unit, f"{worker}: {cause}")
            self._state.queue.appendleft(unit)
            return
        reason = f"failed {self.settings.tries} times, last on {worker}: {cause}"
        log.warning("%s is dropped: it %s", self._told(unit), reason)
        self._settle(unit, Dropped(reason=reason))

    def _told(self, unit: RolloutRequest) -> str:
        return str(unit) if self.notes is None else self.notes.describe(unit)

    def _give_up(self, slot: _Slot, cause: str) -> None:
        self._slots.remove(slot)
        self.pool.end(slot.worker)
        log.warning("%s is given up after %d failed starts", slot.name, slot.failures)
        if not self._slots:
            raise RunFailure(f"no rollout worker is left: {slot.name}, the last one, {cause}")

    def _replace(self, slot: _Slot) -> None:
        self.figures.restarted += 1
        self.pool.end(slot.worker)
        fresh = self._new_slot(slot.name)
        slot.worker, slot.job, slot.deadline = fresh.worker, fresh.job, fresh.deadline

    def _new_slot(self, name: str) -> _Slot:
        worker = self.pool.spawn(name)
        job = self.pool.start(worker)
        return _Slot(name=name, worker=worker, job=job, deadline=self.clock() + self.settings.start_limit)
