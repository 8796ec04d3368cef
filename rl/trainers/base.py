"""The adapted trainer: what both of TRL's trainers need around a LoRA adapter, its policy and checkpoints."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Trainer, TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from rl.common.atomic import write_json
from rl.credit.assigner import CreditAssigner
from rl.models.tokenization import Span, completion_spans
from rl.routing.files import load_adapters, save_router
from rl.routing.route import Route
from rl.runs.checkpoint import checkpoint_step, mark_complete, remove_old, saving

CREDIT_STATE = "credit.json"


class AdapterTrainer(Trainer):
    """To be inherited before one of TRL's trainers."""

    credit: CreditAssigner
    route: Route | None = None
    """What decides which adapters answer; None where there is one."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # Ours to keep: transformers would delete an old checkpoint before the new one is complete.
        self.keep_checkpoints, self.args.save_total_limit = self.args.save_total_limit, None
        self._gating = ExitStack()

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

    def completion_spans(self, completion_ids: Sequence[int]) -> list[Span]:
        """Where each token of a completion stands in its text."""
        return completion_spans(self.policy_tokenizer, completion_ids)

    def route_by(self, route: Route) -> None:
        """Train several adapters, each row those that its gates open."""
        self.route = route

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        # The gates hold until the backward pass is over: with gradient checkpointing it runs the layers again.
        with ExitStack() as self._gating:
            return super().training_step(*args, **kwargs)

    def gate(self, gates: Tensor) -> None:
        """Let the rest of the training step be answered by these gates, one row of them a row."""
        assert self.route is not None
        self._gating.enter_context(self.route.applied(gates))

    def train(self, resume_from_checkpoint: str | None = None, **kwargs: Any) -> Any:
        checkpoint = None if resume_from_checkpoint is None else Path(resume_from_checkpoint)
        if checkpoint is not None:
            self._load_extra_state(checkpoint)
        if checkpoint is not None and checkpoint_step(checkpoint) >= self.args.max_steps:
            return self._restore(checkpoint)
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.route is None:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:  # transformers would load the first adapter and freeze the others
            load_adapters(self.policy, Path(resume_from_checkpoint))

    def _restore(self, checkpoint: Path) -> None:
        """Stand where a finished training stood; transformers would train one step more."""
        self._load_from_checkpoint(str(checkpoint))
        self.state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self._get_output_dir(trial=trial)) / f"checkpoint-{self.state.global_step}"
        with saving(folder):
            super()._save_checkpoint(model, trial)
            self._save_extra_state(folder)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                mark_complete(folder)
        if self.args.should_save and self.keep_checkpoints is not None:
            remove_old(folder.parent, self.keep_checkpoints)

    def _save_extra_state(self, checkpoint: Path) -> None:
        """Add what transformers forgets of this rank."""
        if self.args.should_save:
            write_json(checkpoint / CREDIT_STATE, {"rule_enabled": self.credit.rule_enabled})
            if self.route is not None:
                save_router(self.policy, checkpoint)

    def _load_extra_state(self, checkpoint: Path) -> None:
        """Remember what `_save_extra_state` wrote."""
        self.credit.rule_enabled = json.loads((checkpoint / CREDIT_STATE).read_text(encoding="utf-8"))["rule_enabled"]
