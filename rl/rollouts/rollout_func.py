"""Rollouts: TRL's `rollout_func`, which turns the prompts of a generation batch into sampled completions."""

import time
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from rl.common.errors import RunFailure
from rl.models.tokenization import encode_prompt
from rl.rollouts.data_order import DataOrder
from rl.rollouts.interfaces import Outcome, SampledRequest, Sampler
from rl.rollouts.ledger import Ledger
from rl.rollouts.off_policy import OffPolicyCorrection
from rl.rollouts.prefetch import Prefetch, SavedRequest
from rl.rollouts.refill import NO_SIGNAL, Group, GroupRewards, Row, has_signal, replacement, split_groups
from rl.rollouts.thoughts import thought_columns, thought_metrics
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.units import split_requests

PLACEHOLDER_POSITION = -1
"""Position of the rows that fill the place of a dropped group."""


class Rollouts:
    """TRL's `rollout_func`: prompts of one rank's generation batch in, sampled completions out.

    With `order` it knows which batches come next and can have them sampled ahead; with `ledger` it records what became
    of each request.
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
        refill: int = 0,
        ledger: Ledger | None = None,
        correction: OffPolicyCorrection | None = None,
    ):
        self.sampler = sampler
        self.tokenizer = tokenizer
        self.num_generations = num_generations
        self.groups_per_unit = groups_per_unit
        self.seed = seed
        self.max_dropped = max_dropped
        self.refill = refill
        self.group_rewards: GroupRewards | None = None
        """Rewards groups; the trainer sets it where `refill` says how often a group may be replaced."""
        self.rows: list[Row] = []
        """For each group of the latest batch, its row, where groups may be replaced."""
        self.ledger = ledger
        self.order: DataOrder | None = None
        self.prefetch = Prefetch(max_staleness)
        self.correction = correction or OffPolicyCorrection(mode="none", cap=1.0)
        self.positions: list[int] = []
        """For each row of the latest batch, its group's position in the data order."""
        self.versions: list[int] = []
        """For each row of the latest batch, the policy version that sampled it."""
        self.gates: list[tuple[float, ...]] = []
        """For each row of the latest batch, the weight of each adapter; empty for a placeholder."""
        self._published: int | None = None
        self._groups = 0
        self._dropped_groups = 0

    def __call__(self, prompts: list, trainer: Any) -> dict[str, list]:
        version, batch = trainer.state.global_step, generation_batch(trainer)
        if self.ledger is not None:
            self.ledger.step = version + 1
        if self.order is not None:
            self.order.look_ahead(batch)
        metrics = self._publish(version)
        self._groups = len(prompts) // self.num_generations
        requests = self._dispatch(batch, prompts, trainer)
        self._dispatch_ahead(batch, trainer)
        start = time.perf_counter()
        outcomes = self._collect(batch, requests, trainer)
        metrics |= {"sync/wait_seconds": time.perf_counter() - start, **self.sampler.pop_metrics()}
        metrics["sync/sampling_seconds"] = sum(one.seconds for one in outcomes if isinstance(one, SampledRequest))
        metrics |= self.prefetch.staleness(requests, version)
        if self.refill:
            requests, outcomes, metrics["rollouts/refilled"] = self._refilled(batch, requests, outcomes, trainer)
        for name, value in metrics.items():
            trainer._log_metric(name, value)
        return self._assemble(requests, outcomes, trainer)

    def _refilled(
        self, batch: int, requests: list[RolloutRequest], outcomes: list[Outcome], trainer: Any
    ) -> tuple[list[RolloutRequest], list[Outcome], float]:
        """Return the batch's groups, those without signal replaced up to `refill` times, and how many were replaced."""
        assert self.order is not None
        groups, self.rows, num_replaced = list(split_groups(requests, outcomes)), self.order.rows(batch), 0
        unscored: Sequence[int] = range(len(groups))
        for attempt in range(self.refill + 1):
            flat = self._without_signal(unscored, groups)
            if not flat or attempt == self.refill:
                break
            next_rows = self.order.rows(batch + attempt + 1)
            replaced = [
                self._replace(groups[index][0], rewards, next_rows[index], trainer) for index, rewards in flat.items()
            ]
            self.sampler.submit(replaced)
            for index, request, outcome in zip(flat, replaced, self.sampler.collect(replaced), strict=True):
                self._record(request, outcome, trainer)
                groups[index], self.rows[index] = (request, outcome), next_rows[index]
            num_replaced, unscored = num_replaced + len(flat), list(flat)
        return [request for request, _ in groups], [outcome for _, outcome in groups], float(num_replaced)

    def _without_signal(self, indices: Sequence[int], groups: Sequence[Group]) -> dict[int, list[float]]:
        """Reward the groups that were sampled; return the rewards of those whose rewards are all equal, by index."""
        assert self.group_rewards is not None
        sampled = {index: outcome for index in indices if isinstance(outcome := groups[index][1], SampledRequest)}
        rows, samples = [self.rows[index] for index in sampled], [outcome.samples for outcome in sampled.values()]
        rewards = zip(sampled, self.group_rewards(list(sampled), rows, samples), strict=True)
        return {index: given for index, given in rewards if not has_signal(given)}

    def _replace(self, group: RolloutRequest, rewards: Sequence[float], row: Row, trainer: Any) -> RolloutRequest:
        """Return the request that takes a group's place; the ledger drops one and is told of the other."""
        prompt = encode_prompt(self.tokenizer, row["prompt"])
        request = replacement(group, row, prompt, version=trainer.state.global_step)
        if self.ledger is not None:
            self.ledger.rewarded({group.position: rewards})
            self.ledger.drop_request(group, NO_SIGNAL)
            self.ledger.dispatch(request, [str(row.get("problem_id", "unknown"))])
        return request

    def _publish(self, version: int) -> dict[str, float]:
        if version == self._published:
            return {}
        self._published = version
        return self.sampler.publish(version)

    def _dispatch_ahead(self, batch: int, trainer: Any) -> None:
        for later in self.prefetch.batches_after(batch, trainer):
            assert self.order is not None, "only with a data order is anything sampled ahead"
            rows = self.order.rows(later)
            self._dispatch(later, [row["prompt"] for row in rows for _ in range(self.num_generations)], trainer)

    def _dispatch(self, batch: int, prompts: Sequence, trainer: Any) -> list[RolloutRequest]:
        """Return the batch's requests, after dispatching them unless they already are."""
        if batch in self.prefetch.requests:
            return self.prefetch.requests[batch]
        position = first_position(trainer, len(prompts) // self.num_generations, batch)
        new = split_requests(
            [encode_prompt(self.tokenizer, prompt) for prompt in prompts],
            num_generations=self.num_generations,
            groups_per_unit=self.groups_per_unit,
            position=position,
            version=trainer.state.global_step,
            seed=self.seed,
            tasks=() if self.order is None else [str(row.get("task", "")) for row in self.order.rows(batch)],
        )
        requests, unsampled = self.prefetch.add(batch, new)
        if self.ledger is not None:
            ids = self._problem_ids(batch, prompts[:: self.num_generations])
            for request in unsampled:
                first = request.position - position
                self.ledger.dispatch(request, ids[first : first + len(request.prompts)])
        self.sampler.submit(unsampled)
        return requests

    def _problem_ids(self, batch: int, prompts: Sequence) -> list[str]:
        assert self.order is not None, "a ledger needs the data order"
        rows = self.order.rows(batch)
        if [row["prompt"] for row in rows] != list(prompts):
            raise RunFailure(f"generation batch {batch} has other prompts than the data order expects")
        return [str(row.get("problem_id", "unknown")) for row in rows]

    def _collect(self, batch: int, requests: list[RolloutRequest], trainer: Any) -> list[Outcome]:
        restored = self.prefetch.pop(batch)
        unsampled = [request for request in requests if request not in restored]
        outcomes: dict[RolloutRequest, Outcome] = {
            **restored,
            **dict(zip(unsampled, self.sampler.collect(unsampled), strict=True)),
        }
        for request, outcome in outcomes.items():
            self._record(request, outcome, trainer)
        return [outcomes[request] for request in requests]

    def _record(self, request: RolloutRequest, outcome: Outcome, trainer: Any) -> None:
        """Record an outcome in the ledger. Raises RunFailure when more groups are dropped than allowed."""
        if isinstance(outcome, SampledRequest):
            if self.ledger is not None:
                self.ledger.sampled(request, outcome.worker, outcome.digest)
            return
        if self.ledger is not None:
            self.ledger.drop_request(request, outcome.reason)
        self._dropped_groups += len(request.prompts)
        allowed = self.max_dropped * planned_groups(trainer, self._groups)
        if self._dropped_groups > allowed:
            description = str(request) if self.ledger is None else self.ledger.describe(request)
            raise RunFailure(
                f"{description}: {outcome.reason}; {self._dropped_groups} groups are dropped, "
                f"rollouts.max_dropped={self.max_dropped:g} of the run's allows {allowed:g}"
            )

    def _assemble(self, requests: list[RolloutRequest], outcomes: list[Outcome], trainer: Any) -> dict[str, list]:
        """Return the batch as TRL wants it, and remember its rows' positions, versions and gates."""
        samples, self.positions = [], []
        for request, outcome in zip(requests, outcomes, strict=True):
            positions = [position for position in request.positions for _ in range(self.num_generations)]
            sampled = isinstance(outcome, SampledRequest)
            samples += outcome.samples if sampled else self._placeholders(request)
            self.positions += positions if sampled else [PLACEHOLDER_POSITION] * len(positions)
        self.versions = [sample.version for sample in samples]
        self.gates = [sample.gates for sample in samples]
        self.plans = [sample.plan for sample in samples]
        batch: dict[str, list] = {
            "prompt_ids": [list(sample.prompt_ids) for sample in samples],
            "completion_ids": [list(sample.completion_ids) for sample in samples],
            "logprobs": [list(sample.logprobs) for sample in samples],
            "finish_reason": [sample.finish_reason for sample in samples],
        }
        thoughts = thought_columns(self.tokenizer, samples)
        for name, value in thought_metrics(thoughts, samples).items():
            trainer._log_metric(name, value)
        batch |= thoughts
        if PLACEHOLDER_POSITION in self.positions:  # TRL trains no token where this is 0
            batch["env_mask"] = [
                [int(position != PLACEHOLDER_POSITION)] * len(sample.completion_ids)
                for position, sample in zip(self.positions, samples, strict=True)
            ]
        return batch

    def _placeholders(self, request: RolloutRequest) -> list[Sample]:
        """Return rows for a dropped request, since TRL wants full batches: equal in each group, so of advantage 0."""
        return [
            Sample(
                prompt_ids=prompt,
                completion_ids=(int(self.tokenizer.eos_token_id),),  # pyright: ignore[reportArgumentType]
                logprobs=(0.0,),
                finish_reason="stop",
                version=request.version,
            )
            for prompt in request.prompts
            for _ in range(self.num_generations)
        ]

    def in_flight(self) -> dict[int, int]:
        """Return the number of samples dispatched for later batches, by position."""
        requests = self.prefetch.in_flight()
        return {position: self.num_generations for request in requests for position in request.positions}

    def state(self) -> list[SavedRequest]:
        """Return what was sampled ahead, for a checkpoint."""
        return self.prefetch.state(self.sampler.finished())

    def restore(self, state: list[SavedRequest]) -> None:
        self.prefetch.restore(state)

    def close(self) -> None:
        """End the workers, if there are any."""
        self.sampler.close()


def micro_steps_per_batch(trainer: Any) -> int:
    return trainer.args.steps_per_generation * trainer.num_iterations


def generation_batch(trainer: Any) -> int:
    """Return the number of the trainer's generation batch: it depends on the step alone, so a resume repeats it."""
    return trainer._step // micro_steps_per_batch(trainer)


def first_position(trainer: Any, groups_on_rank: int, batch: int) -> int:
    """Return the data-order position of a rank's first group in a batch."""
    accelerator = trainer.accelerator
    return (batch * accelerator.num_processes + accelerator.process_index) * groups_on_rank


def planned_groups(trainer: Any, groups_on_rank: int) -> int:
    """Return the number of groups that this rank samples in the whole run."""
    micro_steps = trainer.args.max_steps * trainer.args.gradient_accumulation_steps
    return -(-micro_steps // micro_steps_per_batch(trainer)) * groups_on_rank
