"""The adapted trainer: what both of TRL's trainers need around a LoRA adapter, its policy and exact resumes."""

import json
from pathlib import Path
from typing import Any

from peft import PeftModel
from transformers import PreTrainedTokenizerBase, Trainer, TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from rl.atomic import write_json
from rl.checkpoint import checkpoint_step
from rl.credit.assigner import CreditAssigner

CREDIT_STATE = "credit.json"


class AdaptedTrainer(Trainer):
    """To be inherited before one of TRL's trainers."""

    credit: CreditAssigner

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

    def train(self, resume_from_checkpoint: str | None = None, **kwargs: Any):
        if resume_from_checkpoint is not None:
            checkpoint = Path(resume_from_checkpoint)
            if checkpoint_step(checkpoint) >= self.args.max_steps:
                return self._restore(checkpoint)
            self._take_up(checkpoint)
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def _restore(self, checkpoint: Path) -> None:
        """Stand where a finished training stood; transformers would train one step more."""
        self._load_from_checkpoint(str(checkpoint))
        self.state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))

    def _save_checkpoint(self, model, trial):
        super()._save_checkpoint(model, trial)
        if self.args.should_save:
            self._complete(Path(self._get_output_dir(trial=trial)) / f"checkpoint-{self.state.global_step}")

    def _complete(self, checkpoint: Path) -> None:
        """Add what TRL forgets. The buffer's file comes last: it makes the checkpoint one to resume from."""
        write_json(checkpoint / CREDIT_STATE, {"trusted": self.credit.trusted})

    def _take_up(self, checkpoint: Path) -> None:
        """Remember what `_complete` wrote."""
        self.credit.trusted = json.loads((checkpoint / CREDIT_STATE).read_text(encoding="utf-8"))["trusted"]
