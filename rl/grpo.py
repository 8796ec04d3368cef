"""GRPO with token credit: TRL's trainer, its methods wrapped whole."""

from typing import Any

from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedTokenizerBase
from trl.trainer.grpo_trainer import GRPOTrainer

from rl.balancing import Balancing
from rl.credit.assigner import CreditAssigner, completion_view
from rl.durable import Durable
from rl.record import RolloutRecorder
from rl.rollouts.rollout_func import Rollouts


class CreditGRPOTrainer(Durable, GRPOTrainer):
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
        self.rollouts = rollouts
        self.know_the_order()
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
            self.correct(self._live, logps)
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
