"""Ledger: the record of what became of every sample, in a SQLite file that survives SIGKILL."""

import math
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rl.common.errors import RunFailure
from rl.rollouts.data_order import REFILL
from rl.rollouts.types import RolloutRequest

Event = Literal["planned", "dispatched", "reissued", "sampled", "rewarded", "trained", "dropped"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    step INTEGER NOT NULL,      -- the optimizer step under way
    position INTEGER NOT NULL,  -- the group's position in the data order
    event TEXT NOT NULL,
    samples INTEGER NOT NULL,
    -- planned: the problem's id; sampled: worker and adapter digest; rewarded: the mean reward; dropped, reissued: why
    detail TEXT,
    at REAL NOT NULL,           -- seconds since 1970
    undone INTEGER NOT NULL DEFAULT 0  -- 1 once a resume has undone it
);
CREATE INDEX IF NOT EXISTS surviving ON events (undone, position);
CREATE VIEW IF NOT EXISTS groups AS SELECT
    position,
    MAX(CASE event WHEN 'planned' THEN detail END) AS problem_id,
    SUM(CASE event WHEN 'planned' THEN samples ELSE 0 END) AS planned,
    SUM(CASE event WHEN 'dispatched' THEN samples ELSE 0 END) AS dispatched,
    SUM(CASE event WHEN 'sampled' THEN samples ELSE 0 END) AS sampled,
    SUM(CASE event WHEN 'rewarded' THEN samples ELSE 0 END) AS rewarded,
    SUM(CASE event WHEN 'trained' THEN samples ELSE 0 END) AS trained,
    SUM(CASE event WHEN 'dropped' THEN samples ELSE 0 END) AS dropped
FROM events WHERE undone = 0 GROUP BY position;
"""

INCONSISTENT_GROUPS = """
SELECT position, problem_id, planned, dispatched, sampled, rewarded, trained, dropped FROM groups
WHERE dispatched <> planned OR sampled > dispatched OR rewarded > sampled OR trained > rewarded
    OR trained + dropped > dispatched
"""
"""Groups whose counts break dispatched = trained + dropped + pending (law 6 of `rl/DESIGN.md`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerTotals:
    """Numbers of samples, without what a resume has undone."""

    dispatched: int
    trained: int
    dropped: int

    @property
    def pending(self) -> int:
        return self.dispatched - self.trained - self.dropped


def ledger_path(folder: Path, rank: int) -> Path:
    """Return the path of a rank's ledger; each rank writes its own, because a file has one writer."""
    return folder / ("ledger.sqlite" if rank == 0 else f"ledger-{rank}.sqlite")


class Ledger:
    """One process's record of its samples; no other process writes to `path`.

    Every event is stamped with `step`, the optimizer step under way: a resume from checkpoint N undoes the later ones.
    """

    def __init__(self, path: Path, *, num_generations: int):
        self.path = path
        self.num_generations = num_generations
        self.step = 1
        path.parent.mkdir(parents=True, exist_ok=True)
        # The dispatcher's thread records what it dispatches again.
        self._lock = threading.Lock()
        with self._failures_named():
            self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30.0)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.executescript(SCHEMA)

    def dispatch(self, request: RolloutRequest, problem_ids: Iterable[str]) -> None:
        """Record that a request's groups are dispatched; those pending since before a resume count as reissued."""
        pending = self.pending(request.positions)
        ids = dict(zip(request.positions, problem_ids, strict=True))
        new = {position: problem_id for position, problem_id in ids.items() if position not in pending}
        self._record("planned", [(position, self.num_generations, problem_id) for position, problem_id in new.items()])
        self._record("dispatched", [(position, self.num_generations, None) for position in new])
        self._record("reissued", [(position, self.num_generations, "the run was resumed") for position in pending])

    def reissued(self, request: RolloutRequest, cause: str) -> None:
        self._record_request("reissued", request, cause)

    def sampled(self, request: RolloutRequest, worker: str, digest: str = "") -> None:
        """Record who sampled a request, and with which adapter."""
        self._record_request("sampled", request, f"{worker} {digest}".rstrip())

    def describe(self, request: RolloutRequest) -> str:
        """Return the request with the step under way and its problem ids."""
        problems = self.problem_ids(request.positions)
        return f"{request}, step {self.step}, problem {', '.join(problems)}"

    def drop_request(self, request: RolloutRequest, reason: str) -> None:
        self._record_request("dropped", request, reason)

    def rewarded(self, rewards: Mapping[int, Sequence[float]]) -> None:
        """Record the rewards of each group's samples, by position, as their number and their mean without NaN."""
        self._record("rewarded", [(position, len(given), _mean(given)) for position, given in rewards.items()])

    def mean_rewards(self, before: int) -> list[tuple[str, float]]:
        """Return the problem and mean reward of each group at a position below `before`, or in the place of one."""
        query = """
            SELECT planned.detail, rewarded.detail FROM events planned JOIN events rewarded USING (position)
            WHERE planned.event = 'planned' AND planned.undone = 0 AND planned.position % ? < ?
            AND rewarded.event = 'rewarded' AND rewarded.undone = 0 AND rewarded.detail IS NOT NULL
        """
        return [(problem, float(mean)) for problem, mean in self._rows(query, REFILL, before)]

    def trained(self, samples: Mapping[int, int]) -> None:
        """Record the number of samples that the loss has seen, by position."""
        self._record("trained", [(position, count, None) for position, count in samples.items()])

    def dropped(self, samples: Mapping[int, int], reason: str) -> None:
        self._record("dropped", [(position, count, reason) for position, count in samples.items()])

    def _record_request(self, event: Event, request: RolloutRequest, detail: str) -> None:
        self._record(event, [(position, self.num_generations, detail) for position in request.positions])

    def _record(self, event: Event, groups: Iterable[tuple[int, int, str | None]]) -> None:
        """Write an event for groups of (position, samples, detail), in one transaction."""
        now = time.time()
        rows = [(self.step, position, event, samples, detail, now) for position, samples, detail in groups]
        with self._lock, self._transaction():
            self._file.executemany(
                "INSERT INTO events (step, position, event, samples, detail, at) VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Roll back on an error; sqlite3's own context manager begins no transaction."""
        with self._failures_named():
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._file.execute("COMMIT")
            except BaseException:
                if self._file.in_transaction:  # a full disk has rolled back already
                    self._file.execute("ROLLBACK")
                raise

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        """Raise RunFailure, naming the file, when the disk is full or the file cannot be written."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise RunFailure(
                f"the ledger {self.path} could not be written: {error}; see that its disk has space and can be written"
            ) from error

    def totals(self) -> LedgerTotals:
        query = "SELECT TOTAL(dispatched), TOTAL(trained), TOTAL(dropped) FROM groups"
        dispatched, trained, dropped = (int(total) for total in self._rows(query)[0])
        return LedgerTotals(dispatched=dispatched, trained=trained, dropped=dropped)

    def pending(self, positions: range | None = None) -> dict[int, int]:
        """Return the number of samples neither trained nor dropped, by position."""
        low, high = (positions.start, positions.stop) if positions is not None else (0, 2**63 - 1)
        query = (
            "SELECT position, dispatched - trained - dropped AS pending FROM groups "
            "WHERE position >= ? AND position < ? AND pending > 0"
        )
        return dict(self._rows(query, low, high))

    def problem_ids(self, positions: Iterable[int]) -> list[str]:
        known = dict(self._rows("SELECT position, problem_id FROM groups"))
        return [known.get(position, "unknown") for position in positions]

    def _rows(self, query: str, *values: object) -> list[tuple]:
        with self._lock:
            return self._file.execute(query, values).fetchall()

    def verify(self, in_flight: Mapping[int, int]) -> LedgerTotals:
        """Check that dispatched = trained + dropped + pending, and that pending is what is `in_flight`, by position.

        Raises RunFailure naming the first group that was lost, trained twice or never dispatched.
        """
        if broken := self._rows(f"{INCONSISTENT_GROUPS} LIMIT 1"):
            names = ("position", "problem", "planned", "dispatched", "sampled", "rewarded", "trained", "dropped")
            counts = ", ".join(f"{name} {value}" for name, value in zip(names, broken[0], strict=True))
            raise RunFailure(f"{self.path.name}: the samples of a group do not add up: {counts}")
        pending = self.pending()
        for position in sorted(pending.keys() | in_flight.keys()):
            if pending.get(position, 0) != in_flight.get(position, 0):
                raise RunFailure(
                    f"{self.path.name}: of group {position} (problem {self.problem_ids([position])[0]}) "
                    f"{pending.get(position, 0)} samples should be in flight, but {in_flight.get(position, 0)} are"
                )
        return self.totals()

    def verify_no_gaps(self, positions: Iterable[int]) -> None:
        """Raise RunFailure unless every group at `positions` was dispatched."""
        known = {position for (position,) in self._rows("SELECT position FROM groups")}
        if lost := sorted(set(positions) - known):
            raise RunFailure(f"{self.path.name}: group {lost[0]} of the data order was never dispatched")

    def rewind(self, step: int) -> int:
        """Undo what came after `step`, in one transaction; return how many trained samples that affects."""
        with self._lock, self._transaction():
            query = "SELECT TOTAL(samples) FROM events WHERE undone = 0 AND step > ? AND event = 'trained'"
            undone = int(self._file.execute(query, (step,)).fetchone()[0])
            self._file.execute("UPDATE events SET undone = 1 WHERE undone = 0 AND step > ?", (step,))
        self.step = step + 1
        return undone

    def rebuild(self, step: int, waiting: Mapping[int, int], ahead: Iterable[int]) -> None:
        """Replace a lost history up to `step`: of each group, all samples but those `waiting` count as trained.

        The groups `ahead` were sampled for later batches.
        """
        with self._lock, self._transaction():
            self._file.execute("UPDATE events SET undone = 1 WHERE undone = 0")
        self.step, count = step, self.num_generations
        for event in ("planned", "dispatched", "sampled"):
            self._record(event, [(position, count, "unknown") for position in (*waiting, *ahead)])
        self._record("rewarded", [(position, count, None) for position in waiting])
        self._record("trained", [(position, count - left, None) for position, left in waiting.items()])
        self.step = step + 1

    def close(self) -> None:
        self._file.close()


def _mean(rewards: Sequence[float]) -> str | None:
    """Return the mean of the rewards that were given, as text that loses no digit; None if there were none."""
    given = [reward for reward in rewards if not math.isnan(reward)]
    return repr(math.fsum(given) / len(given)) if given else None
