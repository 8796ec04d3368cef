"""Rollouts: what TRL calls for completions, whoever samples them."""

import time
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from rl.common.errors import RunFailure
from rl.models.tokenization import encode_prompt
from rl.rollouts.data_order import DataOrder
from rl.rollouts.interfaces import Dropped, Sampled, Sampler
from rl.rollouts.ledger import Ledger
from rl.rollouts.off_policy import Correction
from rl.rollouts.prefetch import BufferedBatch, Prefetch
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.units import split_requests

NO_POSITION = -1
"""Of a row that stands in for a dropped group's."""


class Rollouts:
    """TRL's `rollout_func`: prompts of one rank's generation batch in, sampled completions out.

    With `order` it knows which batches come next, and may have them sampled ahead; with `ledger` it accounts for each.
    """

    def __init__(
        self,
        sampler: Sampler,
        tokenizer: PreTrainedTokenizerBase,
        *,
        num_generations: int,
        groups_per_unit: int | None,
        seed: int,
        max_staleness: int = 0,
        max_dropped: float = 0.0,
        ledger: Ledger | None = None,
        correction: Correction | None = None,
    ):
        self.sampler = sampler
        self.tokenizer = tokenizer
        self.num_generations = num_generations
        self.groups_per_unit = groups_per_unit
        self.seed = seed
        self.max_dropped = max_dropped
        self.ledger = ledger
        self.order: DataOrder | None = None
        self.prefetch = Prefetch(max_staleness)
        self.correction = correction or Correction(mode="none", cap=1.0)
        self.positions: list[int] = []
        """Of the latest batch's rows, their groups' places in the data order."""
        self.versions: list[int] = []
        self.gates: list[tuple[float, ...]] = []
        """Of its rows, how much of each adapter answered; nothing of any for one that stands in."""
        self._published: int | None = None
        self._groups = 0
        self._dropped_groups = 0

    def __call__(self, prompts: list, trainer: Any) -> dict[str, list]:
        version, batch = trainer.state.global_step, generation_batch(trainer)
        if self.ledger is not None:
            self.ledger.step = version + 1
        figures = self._publish(version)
        self._groups = len(prompts) // self.num_generations
        units = self._units(batch, prompts, trainer)
        for later in self.prefetch.batches_after(batch, trainer):
            assert self.order is not None, "only with a data order is anything sampled ahead"
            rows = self.order.rows(later)
            self._units(later, [row["prompt"] for row in rows for _ in range(self.num_generations)], trainer)
        start = time.perf_counter()
        outcomes = self._collect(batch, units, trainer)
        figures |= {"sync/wait_seconds": time.perf_counter() - start, **self.sampler.figures()}
        figures["sync/sampling_seconds"] = sum(one.seconds for one in outcomes if isinstance(one, Sampled))
        figures |= self.prefetch.staleness(units, version)
        for name, value in figures.items():
            trainer._log_metric(name, value)
        return self._answer(units, outcomes)

    def _publish(self, version: int) -> dict[str, float]:
        if version == self._published:
            return {}
        self._published = version
        return self.sampler.publish(version)

    def _units(self, batch: int, prompts: Sequence, trainer: Any) -> list[RolloutRequest]:
        """The batch's units, handed out now unless they were before."""
        if batch in self.prefetch.units:
            return self.prefetch.units[batch]
        position = first_position(trainer, len(prompts) // self.num_generations, batch)
        cut = split_requests(
            [encode_prompt(self.tokenizer, prompt) for prompt in prompts],
            num_generations=self.num_generations,
            groups_per_unit=self.groups_per_unit,
            position=position,
            version=trainer.state.global_step,
            seed=self.seed,
            tasks=() if self.order is None else [str(row.get("task", "")) for row in self.order.rows(batch)],
        )
        units, fresh = self.prefetch.add(batch, cut)
        if self.ledger is not None:
            ids = self._problem_ids(batch, prompts[:: self.num_generations])
            for unit in fresh:
                first = unit.position - position
                self.ledger.dispatch(unit, ids[first : first + len(unit.prompts)])
        self.sampler.submit(fresh)
        return units

    def _problem_ids(self, batch: int, prompts: Sequence) -> list[str]:
        assert self.order is not None, "a ledger needs the data order"
        rows = self.order.rows(batch)
        if [row["prompt"] for row in rows] != list(prompts):
            raise RunFailure(f"generation batch {batch} holds other prompts than the data order says")
        return [str(row.get("problem_id", "unknown")) for row in rows]

    def _collect(self, batch: int, units: list[RolloutRequest], trainer: Any) -> list[Sampled | Dropped]:
        kept = self.prefetch.take(batch)
        fresh = [unit for unit in units if unit not in kept]
        outcomes: dict[RolloutRequest, Sampled | Dropped] = {
            **kept,
            **dict(zip(fresh, self.sampler.collect(fresh), strict=True)),
        }
        for unit, outcome in outcomes.items():
            self._account(unit, outcome, trainer)
        return [outcomes[unit] for unit in units]

    def _account(self, unit: RolloutRequest, outcome: Sampled | Dropped, trainer: Any) -> None:
        if isinstance(outcome, Sampled):
            if self.ledger is not None:
                self.ledger.sampled(unit, outcome.worker, outcome.digest)
            return
        if self.ledger is not None:
            self.ledger.drop_unit(unit, outcome.reason)
        self._dropped_groups += len(unit.prompts)
        allowed = self.max_dropped * planned_groups(trainer, self._groups)
        if self._dropped_groups > allowed:
            told = str(unit) if self.ledger is None else self.ledger.describe(unit)
            raise RunFailure(
                f"{told}: {outcome.reason}; {self._dropped_groups} groups are dropped, "
                f"rollouts.max_dropped={self.max_dropped:g} of the run's allows {allowed:g}"
            )

    def _answer(self, units: list[RolloutRequest], outcomes: list[Sampled | Dropped]) -> dict[str, list]:
        samples, self.positions = [], []
        for unit, outcome in zip(units, outcomes, strict=True):
            places = [place for place in unit_positions(unit) for _ in range(self.num_generations)]
            whole = isinstance(outcome, Sampled)
            samples += outcome.samples if whole else self._stand_ins(unit)
            self.positions += places if whole else [NO_POSITION] * len(places)
        self.versions = [sample.version for sample in samples]
        self.gates = [sample.gates for sample in samples]
        answer: dict[str, list] = {
            "prompt_ids": [list(sample.prompt_ids) for sample in samples],
            "completion_ids": [list(sample.completion_ids) for sample in samples],
            "logprobs": [list(sample.logprobs) for sample in samples],
            "finish_reason": [sample.finish_reason for sample in samples],
        }
        if NO_POSITION in self.positions:  # TRL trains no token where this is 0
            answer["env_mask"] = [
                [int(place != NO_POSITION)] * len(sample.completion_ids)
                for place, sample in zip(self.positions, samples, strict=True)
            ]
        return answer

    def _stand_ins(self, unit: RolloutRequest) -> list[Sample]:
        """Rows for a dropped unit, for TRL wants whole batches: equal within each group, so their advantages are 0."""
        return [
            Sample(
                prompt_ids=prompt,
                completion_ids=(int(self.tokenizer.eos_token_id),),  # pyright: ignore[reportArgumentType]
                logprobs=(0.0,),
                finish_reason="stop",
                version=unit.version,
            )
            for prompt in unit.prompts
            for _ in range(self.num_generations)
        ]

    def in_flight(self) -> dict[int, int]:
        """Samples handed out for batches to come, by position."""
        return {place: self.num_generations for unit in self.prefetch.ahead() for place in unit_positions(unit)}

    def state(self) -> list[BufferedBatch]:
        """What was sampled ahead, for a checkpoint."""
        return self.prefetch.state(self.sampler.finished())

    def close(self) -> None:
        """Give the workers back."""
        self.sampler.close()

    def restore(self, state: list[BufferedBatch]) -> None:
        self.prefetch.restore(state)


def unit_positions(unit: RolloutRequest) -> range:
    return range(unit.position, unit.position + len(unit.prompts))


def micro_steps_per_batch(trainer: Any) -> int:
    return trainer.args.steps_per_generation * trainer.num_iterations


def generation_batch(trainer: Any) -> int:
    """Number of the generation batch that the trainer is in: a function of the step alone, so a resume repeats it."""
    return trainer._step // micro_steps_per_batch(trainer)


def first_position(trainer: Any, groups_on_rank: int, batch: int) -> int:
    """Place in the data order of a rank's first group."""
    accelerator = trainer.accelerator
    return (batch * accelerator.num_processes + accelerator.process_index) * groups_on_rank


def planned_groups(trainer: Any, groups_on_rank: int) -> int:
    """Groups that this rank samples in the whole run."""
    micro_steps = trainer.args.max_steps * trainer.args.gradient_accumulation_steps
    return -(-micro_steps // micro_steps_per_batch(trainer)) * groups_on_rank
