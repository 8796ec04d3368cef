"""GRPO with token credit: TRL's trainer, its methods wrapped whole."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from trl.trainer.grpo_trainer import GRPOTrainer

from rl.adapted import AdaptedTrainer
from rl.balancing import Balancing
from rl.config import Config
from rl.credit.assigner import CreditAssigner
from rl.credit.columns import batch_view, channel_column, channels_of, evidence_columns, spans_of
from rl.credit.reader import as_columns, from_columns
from rl.credit.watch import Watch
from rl.durable import Durable
from rl.record import RolloutRecorder
from rl.rollouts.engine_hf import evaluating
from rl.rollouts.rollout_func import Rollouts


class CreditGRPOTrainer(Durable, AdaptedTrainer, GRPOTrainer):
    """TRL's GRPOTrainer whose advantages are shared among each completion's tokens.

    TRL reads `inputs["advantages"]` after the loss's forward pass and accepts (B, T), so the weights read during that
    very pass replace (B,) just in time. The buffered batch itself is never touched.
    """

    def __init__(
        self,
        *args: Any,
        config: Config,
        credit: CreditAssigner,
        rollouts: Rollouts,
        recorder: RolloutRecorder | None = None,
        balancing: Balancing | None = None,
        watch: Watch | None = None,
        **kwargs: Any,
    ):
        super().__init__(*args, rollout_func=rollouts, **kwargs)
        self.rollouts = rollouts
        self.know_the_order()
        self.config = config
        self.credit = credit
        self.recorder = recorder
        self.balancing = balancing
        self.watch = watch
        self._live: dict[str, Any] | None = None
        self._tape = None

    def _calculate_rewards(self, inputs, prompts, completions, completion_ids_list):
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        if self.balancing is not None:
            self._balance(self.balancing, rewards)
        first = self.accelerator.process_index * len(prompts)
        local = rewards[first : first + len(prompts)]
        totals = (local * self.reward_weights.to(local.device)).nansum(dim=1)
        self._scored = completions, completion_ids_list, totals.where(~local.isnan().all(dim=1), torch.nan)
        if self.recorder is not None:
            self.recorder.begin(self.state.global_step, inputs, completions, completion_ids_list, totals.tolist())
        return rewards

    def _balance(self, balancing: Balancing, rewards: Tensor) -> None:
        assert self.num_generations is not None
        progress = self.state.global_step / self.args.max_steps
        self.reward_weights, logged = balancing.weigh(rewards, num_generations=self.num_generations, progress=progress)
        self._note(logged)

    def _generate_and_score_completions(self, inputs):
        batch = super()._generate_and_score_completions(inputs)
        if self.credit.looks_at_evidence:
            completions, completion_ids, totals = self._scored
            batch |= evidence_columns(self.policy_tokenizer, inputs, completions, completion_ids, batch)
            batch |= channel_column(batch, totals, weight=self.reward_weights[0].item(), config=self.config)
        if self.credit.listens and self.credit.source == "separate":
            batch |= self._read_separately(batch)
        return batch

    @torch.no_grad()
    def _read_separately(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Readings of a whole generation batch by passes of their own, in chunks as large as the loss's."""
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        spans, length = spans_of(batch), batch["completion_ids"].shape[1]
        chunks = []
        for rows in torch.arange(len(ids)).split(self.args.per_device_train_batch_size):
            part = None if spans is None else spans[rows]
            with evaluating(self.policy), self.credit.reader.listening(self.policy, spans=part) as tape:
                assert tape is not None
                super()._get_per_token_logps_and_entropies(self.policy, ids[rows], mask[rows], length)
                chunks.append(as_columns(self.credit.reader.read(tape, length)))
        return {name: torch.cat([chunk[name] for chunk in chunks]) for name in chunks[0]}

    def _compute_loss(self, model, inputs):
        step = self.state.global_step
        self._live = {**inputs}
        try:
            with self.credit.listening(model, step=step, spans=spans_of(inputs)) as self._tape:
                loss = super()._compute_loss(model, self._live)
        finally:
            self._live = self._tape = None
        # The last micro-batch of a step has its own say; what is found holds from the next step on.
        if self.watch is not None and self.watch.due(step) and self.accelerator.sync_gradients:
            finding = self.watch.judge(self.policy, step=step)
            self.credit.trusted = finding.faithful
            self._note(finding.figures())
        return loss

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any):
        logps, entropies, aux_loss = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        if self._live is not None and entropies is not None:
            self._live["advantages"] = self._token_advantages(self._live, entropies)
            self.correct(self._live, logps)
        return logps, entropies, aux_loss

    def _token_advantages(self, live: dict[str, Any], entropies: Tensor) -> Tensor:
        step, ids = self.state.global_step, live["completion_ids"]
        tape = self._tape
        heard = self.credit.reader.read(tape, ids.shape[1]) if tape is not None else from_columns(live)
        view = batch_view(live, entropies, heard if self.credit.listens_in(step) else None)
        given = self.credit.assign(view, channels_of(live), ids, step=step, micro_step=self._step)
        self._note(given.figures)
        if self.recorder is not None:
            self.recorder.weigh(live["row"].tolist(), live["advantages"].tolist(), given.shares.tolist())
        if self.watch is not None and self.watch.due(step):
            self.watch.gather(live["prompt_ids"], live["prompt_mask"], ids, view.mask, given.chosen)
        return given.advantages

    def _note(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._metrics["train" if self.policy.training else "eval"][name].append(value)
