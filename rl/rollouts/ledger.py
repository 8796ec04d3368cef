"""The ledger: what became of every sample, in a file that outlives a kill."""

import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rl.common.errors import RunFailure
from rl.rollouts.types import RolloutRequest

Event = Literal["planned", "dispatched", "reissued", "sampled", "rewarded", "trained", "dropped"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    step INTEGER NOT NULL,      -- the optimizer step that it belongs to
    position INTEGER NOT NULL,  -- the group's place in the data order
    event TEXT NOT NULL,
    samples INTEGER NOT NULL,
    detail TEXT,                -- planned: the problem's id; sampled: by whom, with what; dropped, reissued: why
    at REAL NOT NULL,           -- seconds since 1970
    undone INTEGER NOT NULL DEFAULT 0  -- 1 once a resume took it back
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

BROKEN = """
SELECT position, problem_id, planned, dispatched, sampled, rewarded, trained, dropped FROM groups
WHERE dispatched <> planned OR sampled > dispatched OR rewarded > sampled OR trained > rewarded
    OR trained + dropped > dispatched
"""
"""Law 6, group by group; what is neither trained nor dropped is pending."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerTotals:
    """Samples of the surviving history."""

    dispatched: int
    trained: int
    dropped: int

    @property
    def pending(self) -> int:
        return self.dispatched - self.trained - self.dropped


def ledger_path(folder: Path, rank: int) -> Path:
    """Each rank writes a ledger of its own, for a file has one writer; together they are the run's."""
    return folder / ("ledger.sqlite" if rank == 0 else f"ledger-{rank}.sqlite")


class Ledger:
    """One process's account of its samples; the only one that writes into `path`.

    `step`, the optimizer step under way, stamps every event: a resume from checkpoint N takes back the later ones.
    """

    def __init__(self, path: Path, *, num_generations: int):
        self.path = path
        self.num_generations = num_generations
        self.step = 1
        path.parent.mkdir(parents=True, exist_ok=True)
        # The dispatcher's thread notes what it hands out again.
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30.0)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.executescript(SCHEMA)

    def dispatch(self, unit: RolloutRequest, problem_ids: Iterable[str]) -> None:
        """Plan and hand out a unit's groups; one that was already out when the run was resumed goes out again."""
        positions = range(unit.position, unit.position + len(unit.prompts))
        known = self.pending(positions)
        fresh = {
            place: problem_id for place, problem_id in zip(positions, problem_ids, strict=True) if place not in known
        }
        self._note("planned", [(place, self.num_generations, problem_id) for place, problem_id in fresh.items()])
        self._note("dispatched", [(place, self.num_generations, None) for place in fresh])
        self._note("reissued", [(place, self.num_generations, "the run was resumed") for place in known])

    def reissued(self, unit: RolloutRequest, cause: str) -> None:
        self._note_unit("reissued", unit, cause)

    def sampled(self, unit: RolloutRequest, worker: str, digest: str = "") -> None:
        """By whom, and with the adapter of which digest."""
        self._note_unit("sampled", unit, f"{worker} {digest}".rstrip())

    def describe(self, unit: RolloutRequest) -> str:
        """The unit, the step under way and its problems' ids."""
        problems = self.problem_ids(range(unit.position, unit.position + len(unit.prompts)))
        return f"{unit}, step {self.step}, problem {', '.join(problems)}"

    def drop_unit(self, unit: RolloutRequest, reason: str) -> None:
        self._note_unit("dropped", unit, reason)

    def rewarded(self, samples: Mapping[int, int]) -> None:
        """Samples by position, as in `trained`."""
        self._note("rewarded", [(place, count, None) for place, count in samples.items()])

    def trained(self, samples: Mapping[int, int]) -> None:
        self._note("trained", [(place, count, None) for place, count in samples.items()])

    def dropped(self, samples: Mapping[int, int], reason: str) -> None:
        self._note("dropped", [(place, count, reason) for place, count in samples.items()])

    def _note_unit(self, event: Event, unit: RolloutRequest, detail: str) -> None:
        positions = range(unit.position, unit.position + len(unit.prompts))
        self._note(event, [(place, self.num_generations, detail) for place in positions])

    def _note(self, event: Event, groups: Iterable[tuple[int, int, str | None]]) -> None:
        """Write an event of (position, samples, detail), all groups in one transaction."""
        now = time.time()
        rows = [(self.step, position, event, samples, detail, now) for position, samples, detail in groups]
        with self._lock, self._transaction():
            self._file.executemany(
                "INSERT INTO events (step, position, event, samples, detail, at) VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._file)

    def totals(self) -> LedgerTotals:
        query = "SELECT TOTAL(dispatched), TOTAL(trained), TOTAL(dropped) FROM groups"
        dispatched, trained, dropped = (int(total) for total in self._rows(query)[0])
        return LedgerTotals(dispatched=dispatched, trained=trained, dropped=dropped)

    def pending(self, positions: range | None = None) -> dict[int, int]:
        """Samples neither trained nor dropped, by position."""
        low, high = (positions.start, positions.stop) if positions is not None else (0, 2**63 - 1)
        query = (
            "SELECT position, dispatched - trained - dropped AS pending FROM groups "
            "WHERE position >= ? AND position < ? AND pending > 0"
        )
        return dict(self._rows(query, low, high))

    def problem_ids(self, positions: Iterable[int]) -> list[str]:
        found = dict(self._rows("SELECT position, problem_id FROM groups"))
        return [found.get(position, "unknown") for position in positions]

    def _rows(self, query: str, *values: object) -> list[tuple]:
        with self._lock:
            return self._file.execute(query, values).fetchall()

    def check(self, held: Mapping[int, int]) -> LedgerTotals:
        """Law 6: dispatched = trained + dropped + pending, and pending is what the run really `held`, by position.

        Raises RunFailure naming the first group that was lost, trained twice or never handed out.
        """
        if broken := self._rows(f"{BROKEN} LIMIT 1"):
            names = ("position", "problem", "planned", "dispatched", "sampled", "rewarded", "trained", "dropped")
            told = ", ".join(f"{name} {value}" for name, value in zip(names, broken[0], strict=True))
            raise RunFailure(f"{self.path.name}: the samples of a group do not add up: {told}")
        pending = self.pending()
        for place in sorted(pending.keys() | held.keys()):
            if pending.get(place, 0) != held.get(place, 0):
                raise RunFailure(
                    f"{self.path.name}: of group {place} (problem {self.problem_ids([place])[0]}) "
                    f"{pending.get(place, 0)} samples should be waiting, but {held.get(place, 0)} are"
                )
        return self.totals()

    def check_gaps(self, positions: Iterable[int]) -> None:
        """Raises RunFailure when a group that the data order has before the newest was never handed out."""
        known = {position for (position,) in self._rows("SELECT position FROM groups")}
        if lost := sorted(set(positions) - known):
            raise RunFailure(f"{self.path.name}: group {lost[0]} of the data order was never handed out")

    def rewind(self, step: int) -> int:
        """Take back what came after `step`, in one transaction; return how many trained samples that undoes."""
        with self._lock, self._transaction():
            query = "SELECT TOTAL(samples) FROM events WHERE undone = 0 AND step > ? AND event = 'trained'"
            undone = int(self._file.execute(query, (step,)).fetchone()[0])
            self._file.execute("UPDATE events SET undone = 1 WHERE undone = 0 AND step > ?", (step,))
        self.step = step + 1
        return undone

    def close(self) -> None:
        self._file.close()


class _Transaction:
    """All or nothing; sqlite3's own context manager starts none."""

    def __init__(self, file: sqlite3.Connection):
        self._file = file

    def __enter__(self) -> None:
        self._file.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self._file.execute("COMMIT" if kind is None else "ROLLBACK")
