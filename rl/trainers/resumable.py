"""Durable rollouts: a data order and an account of every sample, kept with each checkpoint: a kill changes nothing."""

import logging
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rl.common.errors import RunFailure
from rl.rollouts.data_order import DataOrder, EpochOrder
from rl.rollouts.ledger import Ledger, LedgerTotals
from rl.rollouts.rollout_func import NO_POSITION, Rollouts, micro_steps_per_batch
from rl.runs.checkpoint import GRPOState, checkpoint_step, load_state, save_state

Base: Any = object
"""Stands for the adapted trainer and TRL's, which is met in `rl/trainers/grpo.py` only."""

log = logging.getLogger("heed.resume")


class Durable(Base):
    """To be mixed into the adapted trainer of GRPO, before it."""

    rollouts: Rollouts
    _buffered_inputs: Any
    _totals: LedgerTotals | None = None
    """The ledger's, of the checkpoint that is being saved."""

    def set_data_order(self) -> None:
        """Tell the rollouts what comes next."""
        self.rollouts.order = DataOrder(
            super()._get_train_sampler,
            self.train_dataset,
            groups=self._train_batch_size * self.args.steps_per_generation // self.num_generations,
            num_generations=self.num_generations,
            repeats=micro_steps_per_batch(self),
            rank=self.accelerator.process_index,
            ranks=self.accelerator.num_processes,
        )

    def _get_train_sampler(self, dataset: Any = None) -> EpochOrder:
        return EpochOrder(partial(super()._get_train_sampler, dataset))

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Tensor:
        try:
            rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        except Exception as error:
            problems = sorted({str(row.get("problem_id", "unknown")) for row in inputs})
            error.add_note(f"while rewarding step {self.state.global_step + 1}, problems {', '.join(problems)}")
            raise
        if self.rollouts.ledger is not None:
            self.rollouts.ledger.rewarded(_count(self.rollouts.positions))
        return rewards

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        batch = super()._generate_and_score_completions(inputs)
        self.rollouts.correction.begin()
        # A row's index survives TRL's shuffle, so that whoever sees it later knows whose it is.
        columns = {
            "row": list(range(len(inputs))),
            "position": self.rollouts.positions,
            "staleness": [self.state.global_step - version for version in self.rollouts.versions],
        }
        device = self.accelerator.device
        return {**batch, **{name: torch.tensor(value, device=device) for name, value in columns.items()}}

    def apply_off_policy_correction(self, live: dict[str, Any], learner_logps: Tensor) -> None:
        """Weigh what a stale policy sampled, in a micro-batch whose credit is decided."""
        changes, figures = self.rollouts.correction.apply(live, learner_logps, loss_type=self.loss_type)
        live.update(changes)
        for name, value in figures.items():
            self._metrics["train" if self.model.training else "eval"][name].append(value)

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        micro_step, ledger = self._step, self.rollouts.ledger
        if ledger is not None:
            ledger.step = self.state.global_step + 1
        loss = super().training_step(*args, **kwargs)
        per_pass = self.args.steps_per_generation
        if ledger is not None and micro_step % micro_steps_per_batch(self) < per_pass:  # its first visit
            ledger.trained(_count(self._buffered_inputs[micro_step % per_pass]["position"].tolist()))
        return loss

    def train(self, *args: Any, **kwargs: Any) -> Any:
        outcome = super().train(*args, **kwargs)
        self._finalize_ledger()
        return outcome

    def _load_extra_state(self, checkpoint: Path) -> None:
        """Stand where the checkpoint was cut. Raises RunFailure when the ledger tells of another history."""
        super()._load_extra_state(checkpoint)
        cut = load_state(checkpoint, self.accelerator.device, rank=self.accelerator.process_index)
        self._step, self._buffered_inputs = cut.micro_step, cut.buffered
        self.rollouts.restore(cut.ahead)
        self.rollouts.correction.restore(cut.ratios)
        ledger = self.rollouts.ledger
        if ledger is None:
            return
        undone, totals = ledger.rewind(checkpoint_step(checkpoint)), ledger.totals()
        if cut.totals is not None and totals != cut.totals:
            raise RunFailure(
                f"{ledger.path} was lost or changed: {checkpoint.name} was cut at {cut.totals}, it has {totals}"
            )
        if undone:
            log.warning("%s: %d samples that were trained after it are taken back", checkpoint.name, undone)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        ledger = self.rollouts.ledger
        self._totals = None if ledger is None else self._verify_ledger(ledger)
        super()._save_checkpoint(model, trial)

    def _save_extra_state(self, checkpoint: Path) -> None:
        super()._save_extra_state(checkpoint)
        save_state(checkpoint, self._state(), rank=self.accelerator.process_index)

    def _state(self) -> GRPOState:
        return GRPOState(
            micro_step=self._step,
            buffered=self._buffered_inputs,
            ratios=self.rollouts.correction.state(),
            ahead=self.rollouts.state(),
            totals=self._totals,
        )

    def in_flight(self) -> dict[int, int]:
        """Samples that wait in the generation buffer or were handed out ahead, by position."""
        return Counter(self._untrained()) + Counter(self.rollouts.in_flight())

    def _untrained(self) -> dict[int, int]:
        within, per_pass = self._step % micro_steps_per_batch(self), self.args.steps_per_generation
        waiting = self._buffered_inputs[within:per_pass] if within and self._buffered_inputs else []
        return _count([place for batch in waiting for place in batch["position"].tolist()])

    def _verify_ledger(self, ledger: Ledger) -> LedgerTotals:
        assert self.rollouts.order is not None
        batches = -(-self._step // micro_steps_per_batch(self))
        ledger.check_gaps(self.rollouts.order.positions(batches))
        totals = ledger.check(self.in_flight())
        for name in ("dispatched", "trained", "dropped", "pending"):
            self._metrics["train"][f"ledger/{name}"].append(float(getattr(totals, name)))
        return totals

    def _finalize_ledger(self) -> None:
        """What is left when the last step is done is dropped, and the account must be even."""
        ledger = self.rollouts.ledger
        if ledger is not None and self.state.global_step >= self.args.max_steps:
            ledger.step = self.state.global_step + 1
            ledger.dropped(ledger.pending(), "the run ended")
            ledger.check({})


def _count(positions: list[int]) -> dict[int, int]:
    return Counter(place for place in positions if place != NO_POSITION)
