"""Adapter trainer: what TRL's GRPO and DPO trainers both need to train LoRA adapters that can be resumed and routed."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from rl.common.atomic import write_json
from rl.common.errors import during_run
from rl.credit.assigner import CreditAssigner
from rl.models.tokenization import Span, completion_spans
from rl.rollouts.answering import Answer
from rl.routing.files import load_adapters, save_router
from rl.routing.route import Route
from rl.runs.checkpoint import checkpoint_step, mark_complete, remove_old, saving
from rl.tracking.metrics import fetch_metrics
from rl.trainers.device_metrics import metrics_on_device
from rl.trainers.divergence import DivergenceGuard, check_weights

CREDIT_STATE = "credit.json"


class _AtTrainBegin(TrainerCallback):
    """Calls a function once the weights are where training needs them, before the first step."""

    def __init__(self, function: Callable[[], None]):
        self.function = function

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        self.function()


class AdapterTrainer(Trainer):
    """A base class to be listed before one of TRL's trainers, as in `class X(AdapterTrainer, GRPOTrainer)`."""

    credit: CreditAssigner
    route: Route | None = None
    """Decides which adapters answer a prompt; None with a single adapter."""
    _metrics: Any
    """TRL's: `train` or `eval` -> metric -> the values since it was last logged."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # transformers would delete an old checkpoint before the new one is complete, so it must keep all of them.
        self.keep_checkpoints, self.args.save_total_limit = self.args.save_total_limit, None
        self._step_gates = ExitStack()
        self.divergence = DivergenceGuard(self._problem_ids)
        self.add_callback(self.divergence)

    def _problem_ids(self, batch: Mapping[str, Any]) -> list[str]:
        """Return the ids of a micro-batch's problems."""
        raise NotImplementedError

    @property
    def policy(self) -> PeftModel:
        """The adapted model, without the accelerator's wrapping."""
        policy = self.accelerator.unwrap_model(self.model)
        assert isinstance(policy, PeftModel)
        return policy

    @property
    def policy_tokenizer(self) -> PreTrainedTokenizerBase:
        assert isinstance(self.processing_class, PreTrainedTokenizerBase)
        return self.processing_class

    def answer_held_out(self) -> Answer | None:
        """Return the function by which rollout workers answer with the present weights; None without workers."""
        return None

    def answer_as_base(self) -> Answer | None:
        """Return the function by which rollout workers answer as the base model; None where they cannot."""
        return None

    def completion_spans(self, completion_ids: Sequence[int]) -> list[Span]:
        """Return the character span of each token in the completion's text."""
        return completion_spans(self.policy_tokenizer, completion_ids)

    def route_by(self, route: Route) -> None:
        """Train several adapters; each row trains those that its gates open."""
        self.route = route

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        # Gates stay until the backward pass is over: with gradient checkpointing it runs the layers again.
        with ExitStack() as self._step_gates:
            return super().training_step(*args, **kwargs)

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **kwargs: Any) -> Any:
        with metrics_on_device(self.accelerator):
            outcome: Any = super().compute_loss(model, inputs, return_outputs, **kwargs)
        if not return_outputs:
            self.divergence.add(outcome, inputs)
        return outcome

    def _get_grad_norm(self, *args: Any, **kwargs: Any) -> Tensor | float | None:
        self.credit.check_weights()
        norm = super()._get_grad_norm(*args, **kwargs)
        self.divergence.check_gradient(norm, step=self.state.global_step + 1)
        return norm

    def gate(self, gates: Tensor) -> None:
        """Apply gates (B, adapters) until the current training step ends."""
        assert self.route is not None
        self._step_gates.enter_context(self.route.applied(gates))

    @property
    def _mode(self) -> str:
        assert self.model is not None
        return "train" if self.model.training else "eval"

    def _log_metrics(self, metrics: Mapping[str, float | Tensor]) -> None:
        """Add values to the means that TRL logs at the end of the optimizer step; tensors stay on the device till then.

        A tensor that is NaN does not count in the mean.
        """
        logged = self._metrics[self._mode]
        for name, value in metrics.items():
            logged[name].append(value)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        fetch_metrics(self._metrics[self._mode])
        super().log(logs, *args, **kwargs)

    def once_usable(self, function: Callable[[], None]) -> None:
        """Call a function that uses the policy: now, or when training begins under ZeRO-3, which only then gathers."""
        plugin = self.args.deepspeed_plugin
        if plugin is not None and plugin.zero_stage == 3:
            self.add_callback(_AtTrainBegin(function))
        else:
            function()

    def train(self, resume_from_checkpoint: str | None = None, **kwargs: Any) -> Any:
        checkpoint = None if resume_from_checkpoint is None else Path(resume_from_checkpoint)
        if checkpoint is not None:
            self._load_extra_state(checkpoint)
        if checkpoint is not None and checkpoint_step(checkpoint) >= self.args.max_steps:
            return self._restore_finished(checkpoint)
        with during_run(lambda: f"in step {self.state.global_step + 1}"):
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.route is None:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:  # transformers would load the first adapter and freeze the others
            load_adapters(self.policy, Path(resume_from_checkpoint))

    def _restore_finished(self, checkpoint: Path) -> None:
        """Load the last checkpoint of a finished training; transformers would train one step more."""
        self._load_from_checkpoint(str(checkpoint))
        self.state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        check_weights(self.policy, step=self.state.global_step)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        checkpoint = Path(self._get_output_dir(trial=trial)) / f"checkpoint-{self.state.global_step}"
        with saving(checkpoint):
            super()._save_checkpoint(model, trial)
            self._save_extra_state(checkpoint)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                for card in checkpoint.rglob("README.md"):  # PEFT's empty template
                    card.unlink()
                mark_complete(checkpoint)
        if self.args.should_save and self.keep_checkpoints is not None:
            remove_old(checkpoint.parent, self.keep_checkpoints)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write no card into the run folder: TRL's names neither model nor result; ours is saved with the adapter."""

    def _save_extra_state(self, checkpoint: Path) -> None:
        """Write this rank's state that transformers does not save."""
        if self.args.should_save:
            write_json(checkpoint / CREDIT_STATE, {"rule_enabled": self.credit.rule_enabled})
            if self.route is not None:
                save_router(self.policy, checkpoint)

    def _load_extra_state(self, checkpoint: Path) -> None:
        """Load what `_save_extra_state` wrote."""
        self.credit.rule_enabled = json.loads((checkpoint / CREDIT_STATE).read_text(encoding="utf-8"))["rule_enabled"]
