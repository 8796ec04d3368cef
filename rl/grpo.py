"""GRPO with token credit: TRL's trainer, its methods wrapped whole."""

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedTokenizerBase, TrainerState
from transformers.trainer import TRAINER_STATE_NAME
from trl.trainer.grpo_trainer import GRPOTrainer

from rl.balancing import Balancing
from rl.checkpoint import checkpoint_step, load_generation_buffer, save_generation_buffer
from rl.credit.assigner import CreditAssigner, completion_view
from rl.record import RolloutRecorder
from rl.rollouts.local import Rollouts


class CreditGRPOTrainer(GRPOTrainer):
    """TRL's GRPOTrainer whose advantages are shared among each completion's tokens.

    TRL reads `inputs["advantages"]` after the loss's forward pass and accepts (B, T), so the weights read during that
    very pass replace (B,) just in time. The buffered batch itself is never touched.
    """

    def __init__(
        self,
        *args: Any,
        credit: CreditAssigner,
        rollouts: Rollouts,
        recorder: RolloutRecorder | None = None,
        balancing: Balancing | None = None,
        **kwargs: Any,
    ):
        super().__init__(*args, rollout_func=rollouts, **kwargs)
        self.credit = credit
        self.recorder = recorder
        self.balancing = balancing
        self._live: dict[str, Any] | None = None
        self._tape = None

    @property
    def policy(self) -> PeftModel:
        """The adapted model, out of whatever the accelerator wrapped it in."""
        policy = self.accelerator.unwrap_model(self.model)
        assert isinstance(policy, PeftModel)
        return policy

    @property
    def policy_tokenizer(self) -> PreTrainedTokenizerBase:
        assert isinstance(self.processing_class, PreTrainedTokenizerBase)
        return self.processing_class

    def _calculate_rewards(self, inputs, prompts, completions, completion_ids_list):
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        if self.balancing is not None:
            self._balance(self.balancing, rewards)
        if self.recorder is not None:
            first = self.accelerator.process_index * len(prompts)
            local = rewards[first : first + len(prompts)]
            totals = (local * self.reward_weights.to(local.device)).nansum(dim=1).tolist()
            self.recorder.begin(self.state.global_step, inputs, completions, completion_ids_list, totals)
        return rewards

    def _balance(self, balancing: Balancing, rewards: Tensor) -> None:
        assert self.num_generations is not None
        progress = self.state.global_step / self.args.max_steps
        self.reward_weights, logged = balancing.weigh(rewards, num_generations=self.num_generations, progress=progress)
        for name, value in logged.items():
            self._metrics["train" if self.policy.training else "eval"][name].append(value)

    def _generate_and_score_completions(self, inputs):
        batch = super()._generate_and_score_completions(inputs)
        # A row's index survives TRL's shuffle, so that the recorder knows whose weights it is shown.
        return {**batch, "row": torch.arange(len(inputs), device=self.accelerator.device)}

    def train(self, resume_from_checkpoint: str | None = None, **kwargs: Any):
        if resume_from_checkpoint is not None:
            checkpoint = Path(resume_from_checkpoint)
            if checkpoint_step(checkpoint) >= self.args.max_steps:
                return self._restore(checkpoint)
            self._step, self._buffered_inputs = load_generation_buffer(checkpoint, self.accelerator.device)
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def _restore(self, checkpoint: Path) -> None:
        """Stand where a finished training stood; transformers would train one step more."""
        self._load_from_checkpoint(str(checkpoint))
        self.state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))

    def _save_checkpoint(self, model, trial):
        super()._save_checkpoint(model, trial)
        if self.args.should_save:
            folder = Path(self._get_output_dir(trial=trial)) / f"checkpoint-{self.state.global_step}"
            save_generation_buffer(folder, self._step, self._buffered_inputs)

    def _compute_loss(self, model, inputs):
        self._live = {**inputs}
        try:
            with self.credit.listening(model) as self._tape:
                return super()._compute_loss(model, self._live)
        finally:
            self._live = self._tape = None

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any):
        logps, entropies, aux_loss = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        if self._live is not None and entropies is not None:
            self._live["advantages"] = self._token_advantages(self._live, entropies)
        return logps, entropies, aux_loss

    def _token_advantages(self, live: dict[str, Any], entropies: Tensor) -> Tensor:
        mask = live["completion_mask"].bool() & live.get("tool_mask", live["completion_mask"]).bool()
        view = completion_view(self._tape, mask, entropies)
        weights = self.credit.weights(view, step=self.state.global_step, micro_step=self._step)
        mode = "train" if self.policy.training else "eval"
        for name, value in self.credit.metrics(view, weights).items():
            self._metrics[mode][name].append(value)
        if self.recorder is not None:
            self.recorder.weigh(live["row"].tolist(), live["advantages"].tolist(), weights.tolist())
        return self.credit.advantages(live["advantages"], weights, mask)
