"""GRPO with token credit: TRL's trainer with whole methods wrapped, none copied."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from accelerate.utils import gather, gather_object
from torch import Tensor

from attention_probes.record import AttentionRecorder
from rl.config.root import Config
from rl.credit.assigner import CreditAssigner
from rl.credit.channels import Scaling, reward_scaling, total_rewards
from rl.credit.columns import (
    advantage_channels,
    answer_column,
    batch_inputs,
    batch_spans,
    channel_column,
    evidence_columns,
)
from rl.credit.faithfulness_monitor import FaithfulnessMonitor
from rl.credit.reader import from_columns
from rl.models.answers import answer_text
from rl.models.lora import zeroed_adapters
from rl.models.shared_prompts import SharedPrompts
from rl.rollouts.answering import BASE_VERSION, Answer, answer_by_workers
from rl.rollouts.curriculum import Curriculum
from rl.rollouts.data_order import DataOrder, EpochOrder
from rl.rollouts.rollout_func import PLACEHOLDER_POSITION, Rollouts
from rl.rollouts.thoughts import thought_columns
from rl.rollouts.workers.sampler import RemoteSampler
from rl.routing.route import Route, load_balancing_loss
from rl.runs.rollout_recorder import RolloutRecorder
from rl.scoring.balancing import Balancing
from rl.scoring.reward_check import RewardCheck
from rl.scoring.scorer import BatchScorer, completion_text
from rl.trainers.accounting import RolloutAccounting
from rl.trainers.base import AdapterTrainer
from rl.trainers.early_rewards import EarlyRewards
from rl.trainers.extra_passes import logps_in_parts, separate_readings
from rl.trainers.grpo_state import GRPOState
from rl.trainers.shared_grpo import SharedPromptsGRPOTrainer

# Axes: B rows of a batch on this rank, R rewards, T completion tokens, N adapters.


class CreditGRPOTrainer(AdapterTrainer, SharedPromptsGRPOTrainer):
    """TRL's GRPOTrainer with each completion's advantage shared among its tokens.

    TRL reads `inputs["advantages"]` after the loss's forward pass and accepts (B, T). So the credit weights, which need
    what that very pass shows, replace the (B,) advantages just in time, in a copy of the micro-batch: `_live`. The
    buffered batch itself never changes.
    """

    _live: dict[str, Any] | None = None
    """The micro-batch whose loss is being computed; None outside the loss."""
    _attention_recorder: AttentionRecorder | None = None

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
        text_rewards: bool = False,
        **kwargs: Any,
    ):
        super().__init__(*args, rollout_func=rollouts, **kwargs)
        self.rollouts = rollouts
        self.rollouts.order = self._data_order(config)
        self.accounting = RolloutAccounting(
            rollouts,
            steps_per_generation=self._steps_per_generation,
            num_iterations=self.num_iterations,
            may_rebuild=config.run.rebuild_ledger,
        )
        self.config = config
        self.credit = credit
        self.scorer = scorer
        self.recorder = recorder
        self.balancing = balancing
        batches = -(-self.args.max_steps // config.trainer.steps_between_generations)
        self.reward_check = RewardCheck(self.reward_func_names, batches=batches)
        self.faithfulness_monitor = faithfulness_monitor
        self.text_rewards = text_rewards
        if config.trainer.shared_prompts:
            self.share_prompts(self.policy.get_base_model(), tokens_per_row=config.packed_tokens)
        self._inputs: list[dict[str, Any]] = []
        """The rows of the generation batch under way."""
        self.early_rewards = EarlyRewards(
            self._custom_and_constraint_rewards,
            answer=lambda sample: answer_text(self.policy_tokenizer, sample.prompt_ids, sample.completion_ids),
            thoughts=lambda samples: thought_columns(self.policy_tokenizer, samples),
            weights=lambda: self.reward_weights,
        )
        if rollouts.refill:
            rollouts.group_rewards = self.early_rewards.group_rewards

    def route_by(self, route: Route) -> None:
        super().route_by(route)
        self.rollouts.sampler.route_by(route)

    def answer_held_out(self) -> Answer | None:
        return self._answer_by_workers(self.state.global_step) if self._workers_answer else None

    def answer_as_base(self) -> Answer | None:
        if not self._workers_answer:
            return None
        with zeroed_adapters(self.policy):
            return self._answer_by_workers(BASE_VERSION)

    @property
    def _workers_answer(self) -> bool:
        """False where the policy itself has to answer as the base model, and so after training, too."""
        remote = isinstance(self.rollouts.sampler, RemoteSampler)
        return remote and not self.config.lora.use_dora and self.config.distributed.zero != 3

    def _answer_by_workers(self, version: int) -> Answer:
        temperature = self.config.evaluation.temperature
        return answer_by_workers(self.rollouts.sampler, version=version, temperature=temperature)

    @property
    def _steps_per_generation(self) -> int:
        assert self.args.steps_per_generation is not None, "TRL fills it in"
        return self.args.steps_per_generation

    def _data_order(self, config: Config) -> DataOrder:
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
            curriculum=self._curriculum(config),
        )

    def _curriculum(self, config: Config) -> Curriculum | None:
        """Build what orders the epochs by the rewards in all ranks' ledgers, if `data.order` asks for it."""
        data, rollouts, ledger = config.data, config.rollouts, self.rollouts.ledger
        if data.order == "shuffled":
            return None
        assert ledger is not None, "GRPO has one"
        return Curriculum(
            rewards=lambda before: gather_object(ledger.mean_rewards(before)),
            ahead=max(rollouts.refill, rollouts.max_staleness // config.trainer.steps_between_generations),
            band=data.band if data.order == "band" else None,
        )

    def _problem_ids(self, batch: Mapping[str, Any]) -> list[str]:
        assert self.rollouts.order is not None
        positions = set(batch["position"]) - {PLACEHOLDER_POSITION}
        return [str(self.rollouts.order.row(position).get("problem_id", "unknown")) for position in positions]

    def _get_train_sampler(self, dataset: Any = None) -> EpochOrder:
        assert self.rollouts.order is not None
        return EpochOrder(partial(super()._get_train_sampler, dataset), self.rollouts.order.keys)

    def _generate(self, prompts: list):
        """Give rewards the text of each answer that evaluation judges, too."""
        generated: Any = super()._generate(prompts)
        if self.rollouts.refill:
            self._take_replaced_rows(prompts)
        prompt_ids, completion_ids, mask, completions, *others = generated
        completions = [
            [{**message, "content": answer_text(self.policy_tokenizer, *ids)}]
            for [message], *ids in zip(completions, prompt_ids, completion_ids, strict=True)
        ]
        return prompt_ids, completion_ids, mask, completions, *others

    def _take_replaced_rows(self, prompts: list) -> None:
        """Put the rows of groups that replaced others in place, where TRL finds them: in its own lists."""
        size = len(prompts) // len(self.rollouts.rows)
        for place in range(len(prompts)):
            row = self.rollouts.rows[place // size]
            prompts[place], self._inputs[place] = row["prompt"], dict(row)

    def _custom_and_constraint_rewards(self, inputs, prompts, completions, completion_ids_list) -> Tensor:
        if self.text_rewards:
            prompts, completions = (list(map(completion_text, messages)) for messages in (prompts, completions))
        with naming_problems(inputs):
            return super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)

    def _calculate_rewards(self, inputs, prompts, completions, completion_ids_list):
        early = self.early_rewards.take(len(prompts))
        if early is None:  # TRL gathers the rewards of all ranks
            rewards = self._custom_and_constraint_rewards(inputs, prompts, completions, completion_ids_list)
        else:
            rewards = cast(Tensor, gather(early))
        first = self.accelerator.process_index * len(prompts)
        texts = [completion_text(completion) for completion in completions]
        self.reward_check.check(rewards, texts, step=self.state.global_step + 1, first=first)
        if self.balancing is not None:
            self._balance(self.balancing, rewards)
        totals_B = total_rewards(rewards, self.reward_weights.to(rewards.device))[first : first + len(prompts)]
        self.accounting.record_rewards(totals_B.tolist())
        needs_verdicts = self.recorder is not None or self.credit.needs_constraint_attention
        scored = self.scorer.score(inputs, completions) if needs_verdicts else []
        self._scored = scored, completion_ids_list, totals_B
        if self.credit.needs_evidence:
            self._scaling = self._reward_scaling(rewards).rows(first, len(prompts))
        if self.recorder is not None:
            self.recorder.begin_batch(self.state.global_step + 1, scored, completion_ids_list, totals_B.tolist())
        return rewards

    def _reward_scaling(self, rewards: Tensor) -> Scaling:
        assert self.num_generations is not None
        return reward_scaling(
            rewards,
            self.reward_weights.to(rewards.device),
            num_generations=self.num_generations,
            scale_rewards=self.config.trainer.scale_rewards,
            normalize_each=self.multi_objective_aggregation == "normalize_then_sum",
        )

    def _balance(self, balancing: Balancing, rewards: Tensor) -> None:
        assert self.num_generations is not None
        progress = self.state.global_step / self.args.max_steps
        self.reward_weights, logged = balancing.weigh(rewards, num_generations=self.num_generations, progress=progress)
        self._log_metrics(logged)

    def _generate_and_score_completions(self, inputs):
        self._inputs = inputs
        batch = super()._generate_and_score_completions(inputs)
        self.rollouts.correction.start_batch()
        batch |= self._rollout_columns(batch)
        if self.route is not None:
            batch["gates"] = self._sampled_gates()
            self._log_metrics(self.route.metrics(batch["gates"], [str(row.get("task", "")) for row in inputs]))
        if self.config.credit.region != "all":
            batch |= answer_column(self.policy_tokenizer, batch)
        scored, completion_ids, totals = self._scored
        if self.credit.needs_constraint_attention:
            batch |= evidence_columns(self.policy_tokenizer, scored, completion_ids, batch)
        if self.credit.needs_evidence:
            batch |= channel_column(
                batch,
                scored,
                totals,
                self._scaling,
                weight=self.reward_weights[0].item(),
                rewards=self.config.rewards,
                num_generations=self.config.trainer.num_generations,
            )
        if self.credit.needs_probe and self.credit.source == "separate":
            forward, rows = super()._get_per_token_logps_and_entropies, self.args.per_device_train_batch_size
            reader = self.credit.reader
            batch |= separate_readings(forward, reader, self.policy, batch, prepare=self._prepared, rows=rows)
        return batch

    def _rollout_columns(self, batch: Mapping[str, Any]) -> dict[str, list[int]]:
        """Return what must stay with a row when TRL shuffles the batch: index, position, how it was sampled, lengths.

        They are lists, which the host reads without waiting for the device.
        """
        lengths = torch.stack([batch[name].sum(dim=1) for name in ("prompt_mask", "completion_mask")]).tolist()
        return {
            "row": list(range(len(self.rollouts.positions))),
            "position": list(self.rollouts.positions),
            "staleness": [self.state.global_step - version for version in self.rollouts.versions],
            "plan": list(self.rollouts.plans),
            "prompt_length": lengths[0],
            "completion_length": lengths[1],
        }

    def _compute_loss(self, model, inputs):
        step = self.state.global_step
        self._live, self.shared = {**inputs}, self.pack(inputs)
        balance_loss = self._gate(inputs)
        try:
            with self.credit.recording(model, step=step, spans=batch_spans(inputs)) as self._attention_recorder:
                if self._attention_recorder is not None and self.shared is not None:
                    self._attention_recorder.texts = self.shared.texts
                loss = super()._compute_loss(model, self._live)
        finally:
            self._live = self._attention_recorder = self.shared = None
        self._check_faithfulness(step)
        return loss if balance_loss is None else loss + balance_loss

    def _check_faithfulness(self, step: int) -> None:
        """Evaluate the credit rule after the last micro-batch of a due step; the result holds from the next step on."""
        monitor = self.faithfulness_monitor
        if monitor is None or not monitor.due(step) or not self.accelerator.sync_gradients:
            return
        result = monitor.evaluate(self.policy, step=step)
        self.credit.rule_enabled = result.faithful
        self._log_metrics(result.metrics())

    @contextmanager
    def _prepared(self, rows: Tensor, mask: Tensor, keep: int) -> Iterator[SharedPrompts | None]:
        """Pack some rows of the generation batch and apply their gates, for a forward pass outside the loss."""
        self.shared = self.pack_rows(rows, self.rollouts.positions, mask, keep)
        first = rows if self.shared is None else rows[self.shared.first_rows]
        try:
            with nullcontext() if self.route is None else self.route.applied(self._sampled_gates()[first]):
                yield self.shared
        finally:
            self.shared = None

    def _sampled_gates(self) -> Tensor:
        """Return the gates (B, N) that the latest rollouts were sampled with."""
        assert self.route is not None
        closed = (0.0,) * len(self.route.names)  # for rows that stand in for dropped ones
        return torch.tensor([gates or closed for gates in self.rollouts.gates], device=self.accelerator.device)

    def _gate(self, inputs: Mapping[str, Any]) -> Tensor | None:
        """Apply to the loss the gates that its rows were sampled with.

        A router that learns from the loss computes its gates anew; the load-balancing loss is returned for it.
        """
        if self.route is None:
            return None
        settings = self.config.routing
        rows = slice(None) if self.shared is None else self.shared.first_rows
        if settings.frozen:
            self.gate(inputs["gates"][rows])
            return None
        gates = self.route.gates_with_grad(inputs["prompt_ids"], inputs["prompt_mask"].bool())
        self._log_metrics({"routing/drift": (gates - inputs["gates"]).detach().abs().mean()})
        self.gate(gates[rows])
        return settings.balance * load_balancing_loss(gates) / self.current_gradient_accumulation_steps

    def _get_per_token_logps_and_entropies(self, model, ids, mask, keep, **options: Any):
        forward = super()._get_per_token_logps_and_entropies
        if self._live is None:
            return logps_in_parts(forward, model, ids, mask, keep, prepare=self._prepared, **options)
        logps, entropies, aux_loss = forward(model, ids, mask, keep, **options)
        assert entropies is not None, "TRL's loss asks for them"
        self._live["advantages"] = self._token_advantages(self._live, entropies, logps)
        self._correct_for_staleness(self._live, logps)
        return logps, entropies, aux_loss

    def _token_advantages(self, live: dict[str, Any], entropies: Tensor, logps: Tensor) -> Tensor:
        """Return the advantages (B, T) that the credit rule assigns, and record what it saw."""
        step, ids, recorder = self.state.global_step, live["completion_ids"], self._attention_recorder
        readings = self.credit.reader.read(recorder, ids.shape[1]) if recorder is not None else from_columns(live)
        readings = readings if self.credit.needs_probe_at(step) else None
        inputs = batch_inputs(live, entropies, readings, self.config.credit.region)
        assigned = self.credit.assign(inputs, advantage_channels(live), ids, step=step, micro_step=self._step)
        self._log_metrics(assigned.metrics)
        if self.recorder is not None:
            ratio = (logps.detach() - live["sampling_per_token_logps"]).exp()
            tokens = {"weights": assigned.shares, "ratio": ratio, **inputs.by_token()}
            tokens |= {} if assigned.channels is None else {"channel": assigned.channels}
            attention = None if inputs.evidence is None else inputs.evidence.attention
            self.recorder.record(live["row"], live["advantages"], tokens, attention)
        if self.faithfulness_monitor is not None and self.faithfulness_monitor.due(step):
            prompts, prompt_mask = live["prompt_ids"], live["prompt_mask"]
            self.faithfulness_monitor.collect(prompts, prompt_mask, ids, inputs.mask, assigned.rule_weights)
        return assigned.advantages

    def _correct_for_staleness(self, live: dict[str, Any], logps: Tensor) -> None:
        """Weight the token advantages of rows that an older policy sampled."""
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


@contextmanager
def naming_problems(rows: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    """Add the problems' ids to an error that a reward function raises in the block."""
    try:
        yield
    except Exception as error:
        problems = sorted({str(row.get("problem_id", "unknown")) for row in rows})
        error.add_note(f"while rewarding problems {', '.join(problems)}")
        raise
