"""Rollout accounting: what the trainer reports to the ledger, and the check that no sample is lost."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rl.common.errors import RunFailure
from rl.rollouts.data_order import REFILL
from rl.rollouts.ledger import Ledger
from rl.rollouts.rollout_func import PLACEHOLDER_POSITION, Rollouts

if TYPE_CHECKING:  # which is handed to the trainer that holds the account
    from rl.trainers.grpo_state import GRPOState

log = logging.getLogger("heed.resume")

MicroBatch = dict[str, Any]
"""One entry of TRL's generation buffer; its column `position` names each row's group in the data order."""


class RolloutAccounting:
    """Reports one rank's samples to its ledger: each is rewarded, then trained once or dropped (law 6).

    TRL trains a generation batch out of a buffer of `steps_per_generation` micro-batches and visits each of them
    `num_iterations` times. A sample counts as trained at its first visit.
    """

    def __init__(
        self, rollouts: Rollouts, *, steps_per_generation: int, num_iterations: int, may_rebuild: bool = False
    ):
        """`may_rebuild` says that a resume replaces a ledger that was lost."""
        assert rollouts.ledger is not None, "GRPO needs a ledger to account for its rollouts"
        self.ledger: Ledger = rollouts.ledger
        self.rollouts = rollouts
        self.may_rebuild = may_rebuild
        self.steps_per_generation = steps_per_generation
        self.visits_per_batch = steps_per_generation * num_iterations

    def begin_step(self, step: int) -> None:
        """Stamp every event from here on with optimizer step `step`, counted from 1."""
        self.ledger.step = step

    def record_rewards(self, totals: Sequence[float]) -> None:
        """Record the total rewards of the latest generation batch, one a row."""
        groups: dict[int, list[float]] = defaultdict(list)
        for position, total in zip(self.rollouts.positions, totals, strict=True):
            if position != PLACEHOLDER_POSITION:
                groups[position].append(total)
        self.ledger.rewarded(groups)

    def record_training(self, micro_step: int, buffer: Sequence[MicroBatch]) -> None:
        """Record that micro-step `micro_step` trained its part of the buffer, if that was the part's first visit."""
        visit = micro_step % self.visits_per_batch
        if visit < self.steps_per_generation:
            self.ledger.trained(_count(buffer[visit]["position"]))

    def in_flight(self, micro_step: int, buffer: Sequence[MicroBatch] | None) -> dict[int, int]:
        """Count the samples that wait in the buffer or were handed out ahead, by position."""
        visit = micro_step % self.visits_per_batch
        waiting = buffer[visit : self.steps_per_generation] if visit and buffer else []
        positions = [position for batch in waiting for position in batch["position"]]
        return Counter(_count(positions)) + Counter(self.rollouts.in_flight())

    def verify(self, micro_step: int, buffer: Sequence[MicroBatch] | None) -> dict[str, float]:
        """Compare the ledger with what the run really holds and return its totals as metrics.

        Raises RunFailure naming the first group that was lost, trained twice or never handed out.
        """
        assert self.rollouts.order is not None
        batches_begun = -(-micro_step // self.visits_per_batch)
        self.ledger.verify_no_gaps(self.rollouts.order.positions(batches_begun))
        totals = self.ledger.verify(self.in_flight(micro_step, buffer))
        names = ("dispatched", "trained", "dropped", "pending")
        return {f"ledger/{name}": float(getattr(totals, name)) for name in names}

    def rewind(self, state: "GRPOState") -> None:
        """Take back what came after the checkpoint of a state; warn about samples that had been trained.

        Raises RunFailure unless the totals are then those that the checkpoint was saved with, or may be rebuilt.
        """
        step, expected = state.step, state.ledger_totals
        undone, totals = self.ledger.rewind(step), self.ledger.totals()
        if totals != expected:
            lost = (
                f"{self.ledger.path} was lost or changed: checkpoint-{step} was saved with {expected}, it has {totals}"
            )
            if not self.may_rebuild:
                raise RunFailure(
                    f"{lost}; put the file back, or resume with run.rebuild_ledger=true, which counts as trained what "
                    "the checkpoint's steps have used: problem ids, workers, times and what was dropped stay lost"
                )
            log.warning("%s; it is rebuilt from the checkpoint", lost)
            self._rebuild(state)
        if undone:
            log.warning("checkpoint-%d: %d samples that were trained after it are taken back", step, undone)

    def _rebuild(self, state: "GRPOState") -> None:
        assert self.rollouts.order is not None
        batches_begun = -(-state.micro_step // self.visits_per_batch)
        in_buffer = self.in_flight(state.micro_step, state.buffer)
        waiting = {position: in_buffer.get(position, 0) for position in self.rollouts.order.positions(batches_begun)}
        waiting |= {position: count for position, count in in_buffer.items() if position >= REFILL}
        groups = [
            range(saved["position"], saved["position"] + len(saved["samples"]) // self.ledger.num_generations)
            for saved in state.prefetched
        ]
        self.ledger.rebuild(state.step, waiting, [position for group in groups for position in group])

    def close(self, step: int) -> None:
        """Drop what is left when the last step is done, and verify that the account is even."""
        self.begin_step(step + 1)
        self.ledger.dropped(self.ledger.pending(), "the run ended")
        self.ledger.verify({})


def _count(positions: Iterable[int]) -> dict[int, int]:
    return Counter(position for position in positions if position != PLACEHOLDER_POSITION)
