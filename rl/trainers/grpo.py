"""GRPO with token credit: TRL's trainer, its methods wrapped whole."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from rl.config.root import Config
from rl.credit.assigner import CreditAssigner
from rl.credit.columns import advantage_channels, batch_inputs, batch_spans, channel_column, evidence_columns
from rl.credit.faithfulness_monitor import FaithfulnessMonitor
from rl.credit.reader import as_columns, from_columns
from rl.models.eval_mode import eval_mode
from rl.rollouts.data_order import DataOrder, EpochOrder
from rl.rollouts.rollout_func import Rollouts
from rl.routing.route import Route, load_balancing_loss
from rl.runs.rollout_recorder import RolloutRecorder
from rl.scoring.balancing import Balancing
from rl.scoring.scorer import BatchScorer
from rl.trainers.accounting import RolloutAccounting
from rl.trainers.base import AdapterTrainer
from rl.trainers.grpo_state import GRPOState


class CreditGRPOTrainer(AdapterTrainer, GRPOTrainer):
    """TRL's GRPOTrainer whose advantages are shared among each completion's tokens.

    TRL reads `inputs["advantages"]` after the loss's forward pass and accepts (B, T), so the weights read during that
    very pass replace (B,) just in time. The buffered batch itself is never touched.
    """

    args: GRPOConfig

    def __init__(
        self,
        *args: Any,
        config: Config,
        credit: CreditAssigner,
        rollouts: Rollouts,
        scorer: BatchScorer,
        recorder: RolloutRecorder | None = None,
        balancing: Balancing | None = None,
        faithfulness_monitor: FaithfulnessMonitor | None = None,
        **kwargs: Any,
    ):
        super().__init__(*args, rollout_func=rollouts, **kwargs)
        self.rollouts = rollouts
        self.rollouts.order = self._data_order()
        self.accounting = RolloutAccounting(
            rollouts, steps_per_generation=self._steps_per_generation, num_iterations=self.num_iterations
        )
        self.config = config
        self.credit = credit
        self.scorer = scorer
        self.recorder = recorder
        self.balancing = balancing
        self.faithfulness_monitor = faithfulness_monitor
        self._live: dict[str, Any] | None = None
        self._attention_recorder = None

    def route_by(self, route: Route) -> None:
        super().route_by(route)
        self.rollouts.sampler.route_by(route)

    @property
    def _steps_per_generation(self) -> int:
        assert self.args.steps_per_generation is not None, "TRL fills it in"
        return self.args.steps_per_generation

    def _data_order(self) -> DataOrder:
        """Describe which rows each generation batch will hold, so that the rollouts can sample ahead."""
        assert self.num_generations is not None
        return DataOrder(
            super()._get_train_sampler,
            self.train_dataset,
            groups=self._train_batch_size * self._steps_per_generation // self.num_generations,
            num_generations=self.num_generations,
            repeats=self._steps_per_generation * self.num_iterations,
            rank=self.accelerator.process_index,
            ranks=self.accelerator.num_processes,
        )

    def _get_train_sampler(self, dataset: Any = None) -> EpochOrder:
        return EpochOrder(partial(super()._get_train_sampler, dataset))

    def _calculate_rewards(self, inputs, prompts, completions, completion_ids_list):
        with naming_problems(inputs, step=self.state.global_step + 1):
            rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        self.accounting.record_rewards()
        if self.balancing is not None:
            self._balance(self.balancing, rewards)
        first = self.accelerator.process_index * len(prompts)
        local = rewards[first : first + len(prompts)]
        totals = (local * self.reward_weights.to(local.device)).nansum(dim=1)
        needs_verdicts = self.recorder is not None or self.credit.needs_constraint_attention
        scored = self.scorer.score(inputs, completions) if needs_verdicts else []
        self._scored = scored, completion_ids_list, totals.where(~local.isnan().all(dim=1), torch.nan)
        if self.recorder is not None:
            self.recorder.begin(self.state.global_step, scored, completion_ids_list, totals.tolist())
        return rewards

    def _balance(self, balancing: Balancing, rewards: Tensor) -> None:
        assert self.num_generations is not None
        progress = self.state.global_step / self.args.max_steps
        self.reward_weights, logged = balancing.weigh(rewards, num_generations=self.num_generations, progress=progress)
        self._log_metrics(logged)

    def _generate_and_score_completions(self, inputs):
        batch = super()._generate_and_score_completions(inputs)
        self.rollouts.correction.start_batch()
        batch |= self._rollout_columns(len(inputs))
        if self.route is not None:
            batch["gates"] = self._sampled_gates()
            self._log_metrics(self.route.metrics(batch["gates"], [str(row.get("task", "")) for row in inputs]))
        scored, completion_ids, totals = self._scored
        if self.credit.needs_constraint_attention:
            batch |= evidence_columns(self.policy_tokenizer, scored, completion_ids, batch)
        if self.credit.needs_evidence:
            weight, rewards, trainer = self.reward_weights[0].item(), self.config.rewards, self.config.trainer
            batch |= channel_column(batch, totals, weight=weight, rewards=rewards, trainer=trainer)
        if self.credit.needs_probe and self.credit.source == "separate":
            batch |= self._read_separately(batch)
        return batch

    def _rollout_columns(self, num_rows: int) -> dict[str, Tensor]:
        """Each row's index in the batch, which survives TRL's shuffle, its group's position, and its staleness."""
        columns = {
            "row": list(range(num_rows)),
            "position": self.rollouts.positions,
            "staleness": [self.state.global_step - version for version in self.rollouts.versions],
        }
        return {name: torch.tensor(value, device=self.accelerator.device) for name, value in columns.items()}

    @torch.no_grad()
    def _read_separately(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Readings of a whole generation batch by passes of their own, in chunks as large as the loss's."""
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        spans, length = batch_spans(batch), batch["completion_ids"].shape[1]
        chunks = []
        for rows in torch.arange(len(ids)).split(self.args.per_device_train_batch_size):
            part = None if spans is None else spans[rows]
            routed = nullcontext() if self.route is None else self.route.applied(batch["gates"][rows])
            with eval_mode(self.policy), routed, self.credit.reader.recording(self.policy, spans=part) as recorder:
                assert recorder is not None
                super()._get_per_token_logps_and_entropies(self.policy, ids[rows], mask[rows], length)
                chunks.append(as_columns(self.credit.reader.read(recorder, length)))
        return {name: torch.cat([chunk[name] for chunk in chunks]) for name in chunks[0]}

    def _compute_loss(self, model, inputs):
        step = self.state.global_step
        self._live = {**inputs}
        term = self._gate(inputs)
        try:
            with self.credit.recording(model, step=step, spans=batch_spans(inputs)) as self._attention_recorder:
                loss = super()._compute_loss(model, self._live)
        finally:
            self._live = self._attention_recorder = None
        loss = loss if term is None else loss + term
        # After the last micro-batch of a step; the result holds from the next step on.
        if (
            self.faithfulness_monitor is not None
            and self.faithfulness_monitor.due(step)
            and self.accelerator.sync_gradients
        ):
            result = self.faithfulness_monitor.evaluate(self.policy, step=step)
            self.credit.rule_enabled = result.faithful
            self._log_metrics(result.metrics())
        return loss

    def _sampled_gates(self) -> Tensor:
        """(B, N) that the latest rollouts were sampled with."""
        assert self.route is not None
        none = (0.0,) * len(self.route.names)
        return torch.tensor([gates or none for gates in self.rollouts.gates], device=self.accelerator.device)

    def _gate(self, inputs: Mapping[str, Any]) -> Tensor | None:
        """Route the loss as its rows were sampled; a router that the loss trains decides anew, and is kept balanced."""
        if self.route is None:
            return None
        settings = self.config.routing
        if settings.frozen:
            self.gate(inputs["gates"])
            return None
        gates = self.route.gates_with_grad(inputs["prompt_ids"], inputs["prompt_mask"].bool())
        self._log_metrics({"routing/drift": (gates - inputs["gates"]).abs().mean().item()})
        self.gate(gates)
        return settings.balance * load_balancing_loss(gates) / self.current_gradient_accumulation_steps

    def _scored_as_sampled(self, model: Any, ids: Tensor, mask: Tensor, keep: int, size: int | None, **kwargs: Any):
        """TRL's log-probs outside the loss, in its own chunks, each routed as it was sampled."""
        assert self.route is not None
        gates, parts = self._sampled_gates(), []
        for rows in torch.arange(len(ids)).split(size or len(ids)):
            with self.route.applied(gates[rows]):
                parts.append(super()._get_per_token_logps_and_entropies(model, ids[rows], mask[rows], keep, **kwargs))
        logps, entropies, aux_losses = zip(*parts, strict=True)
        whole = None if entropies[0] is None else torch.cat(entropies)
        return torch.cat(logps), whole, None if aux_losses[0] is None else torch.stack(aux_losses).mean()

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any):
        if self.route is not None and self._live is None:
            model, ids, mask, keep, *size = args
            size = kwargs.pop("batch_size", size[0] if size else None)
            return self._scored_as_sampled(model, ids, mask, keep, size, **kwargs)
        logps, entropies, aux_loss = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        if self._live is not None and entropies is not None:
            self._live["advantages"] = self._token_advantages(self._live, entropies, logps)
            self._correct_for_staleness(self._live, logps)
        return logps, entropies, aux_loss

    def _token_advantages(self, live: dict[str, Any], entropies: Tensor, logps: Tensor) -> Tensor:
        step, ids = self.state.global_step, live["completion_ids"]
        recorder = self._attention_recorder
        probe_readings = self.credit.reader.read(recorder, ids.shape[1]) if recorder is not None else from_columns(live)
        inputs = batch_inputs(live, entropies, probe_readings if self.credit.needs_probe_at(step) else None)
        given = self.credit.assign(inputs, advantage_channels(live), ids, step=step, micro_step=self._step)
        self._log_metrics(given.metrics)
        if self.recorder is not None:
            ratio = (logps.detach() - live["sampling_per_token_logps"]).exp()
            read = {"weights": given.shares, "ratio": ratio, **inputs.by_token()}
            attention = None if inputs.evidence is None else inputs.evidence.attention
            self.recorder.see(live["row"].tolist(), live["advantages"].tolist(), read, attention)
        if self.faithfulness_monitor is not None and self.faithfulness_monitor.due(step):
            self.faithfulness_monitor.collect(
                live["prompt_ids"], live["prompt_mask"], ids, inputs.mask, given.rule_weights
            )
        return given.advantages

    def _correct_for_staleness(self, live: dict[str, Any], logps: Tensor) -> None:
        """Weigh the token advantages of rows that an older policy sampled."""
        changes, metrics = self.rollouts.correction.apply(live, logps, loss_type=self.loss_type)
        live.update(changes)
        self._log_metrics(metrics)

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        micro_step = self._step
        self.accounting.begin_step(self.state.global_step + 1)
        loss = super().training_step(*args, **kwargs)
        assert self._buffered_inputs is not None
        self.accounting.record_training(micro_step, self._buffered_inputs)
        return loss

    def train(self, *args: Any, **kwargs: Any) -> Any:
        outcome = super().train(*args, **kwargs)
        if self.state.global_step >= self.args.max_steps:
            self.accounting.close(self.state.global_step)
        return outcome

    def _save_extra_state(self, checkpoint: Path) -> None:
        super()._save_extra_state(checkpoint)
        self._log_metrics(self.accounting.verify(self._step, self._buffered_inputs))
        GRPOState.capture(self).save(checkpoint, rank=self.accelerator.process_index)

    def _load_extra_state(self, checkpoint: Path) -> None:
        super()._load_extra_state(checkpoint)
        state = GRPOState.load(checkpoint, self.accelerator.device, rank=self.accelerator.process_index)
        state.restore(self)

    def _log_metrics(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._metrics["train" if self.policy.training else "eval"][name].append(value)


@contextmanager
def naming_problems(rows: Sequence[Mapping[str, Any]], *, step: int) -> Iterator[None]:
    """Add the step and the problems' ids to an error that a reward function raises in the block."""
    try:
        yield
    except Exception as error:
        problems = sorted({str(row.get("problem_id", "unknown")) for row in rows})
        error.add_note(f"while rewarding step {step}, problems {', '.join(problems)}")
        raise
