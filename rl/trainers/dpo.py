"""DPO with token credit: TRL's trainer, the log-probs of its fused forward pass weighed token by token."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

from attention_probes.record import AttentionRecorder
from data.preferences import PreferencePair
from rl.credit.assigner import CreditAssigner
from rl.credit.pairs import PAIR, PairEvidence, pair_inputs, pair_spans
from rl.models.tokenization import encode_problems, pad_right
from rl.routing.route import load_balancing_loss
from rl.trainers.base import AdapterTrainer

# Axes: 2B rows, the chosen answers first; S tokens of prompt and answer; S - 1 log-probs, of the tokens but the first.


@dataclass
class PairCollator(DataCollatorForPreference):
    """TRL's collator, and which pair each row is."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        return {**super().torch_call(examples), PAIR: torch.tensor([example[PAIR] for example in examples])}


@dataclass
class _Pass:
    """One call of the loss: the policy's forward pass decides the weights, the reference's reuses them."""

    inputs: dict[str, Any]
    recorder: AttentionRecorder | None
    weights: Tensor | None = None


class CreditDPOTrainer(AdapterTrainer, DPOTrainer):
    """TRL's DPOTrainer whose log-probs, the policy's and the reference's alike, are weighed token by token.

    The weights of an answer average 1, so that every loss keeps its scale. `logps/*` and `rewards/*` are of the
    weighted log-probs.
    """

    def __init__(self, *args: Any, credit: CreditAssigner, pairs: Sequence[PreferencePair], **kwargs: Any):
        super().__init__(*args, data_collator=self._collator(kwargs), **kwargs)
        self.credit = credit
        self.pairs = pairs
        probe_readings = credit.needs_constraint_attention and any(pair.problem.constraints for pair in pairs)
        known = probe_readings or credit.needs_evidence
        self.evidence = PairEvidence(self.policy_tokenizer, pairs) if known else None
        self._live: _Pass | None = None
        self._visit = (0, 0)
        self._weigh_log_probs()

    def _collator(self, kwargs: dict[str, Any]) -> PairCollator:
        args, tokenizer = kwargs["args"], kwargs["processing_class"]
        return PairCollator(
            pad_token_id=tokenizer.pad_token_id,
            max_length=args.max_length,
            truncation_mode=args.truncation_mode,
            pad_to_multiple_of=args.pad_to_multiple_of,
        )

    def _weigh_log_probs(self) -> None:
        """Let the fused forward pass, TRL's own patch of the base model, answer with weighed log-probs."""
        base: Any = self.policy.get_base_model()
        fused = base.forward

        @functools.wraps(fused)
        def forward(*args: Any, **kwargs: Any) -> Any:
            outputs = fused(*args, **kwargs)
            if self._live is not None and getattr(outputs, "log_probs", None) is not None:
                if self._live.weights is None:
                    self._live.weights = self._weights(self._live, outputs.entropy)
                outputs.log_probs = outputs.log_probs * self._live.weights
            return outputs

        base.forward = forward

    def compute_ref_log_probs(self, model, inputs):
        return super().compute_ref_log_probs(model, _without_pair(inputs))

    def _compute_loss(self, model, inputs, return_outputs):
        columns = {} if self.evidence is None else self.evidence.columns(inputs)
        step, spans = self.state.global_step, pair_spans(inputs, columns)
        term = self._gate(inputs)
        try:
            with self.credit.recording(model, step=step, spans=spans) as recorder:
                self._live = _Pass(inputs={**inputs, **columns}, recorder=recorder)
                outcome = super()._compute_loss(model, _without_pair(inputs), return_outputs)
        finally:
            self._live = None
        if term is None:
            return outcome
        return (outcome[0] + term, outcome[1]) if return_outputs else outcome + term

    def _gate(self, inputs: dict[str, Any]) -> Tensor | None:
        """Route both answers of a pair by their prompt; a router that the loss trains is kept balanced by a term."""
        if self.route is None:
            return None
        problems = [self.pairs[index].problem for index in inputs[PAIR].tolist()]
        prompts = encode_problems(self.policy_tokenizer, problems)
        tasks = [problem.task for problem in problems]
        gates = self.route.gates_with_grad(*pad_right(prompts), tasks).to(self.accelerator.device)
        for name, value in self.route.metrics(gates.detach(), tasks).items():
            self._metrics["train" if self.policy.training else "eval"][name].append(value)
        self.gate(torch.cat([gates, gates]))
        settings = self.route.settings
        return None if settings.frozen else settings.balance * load_balancing_loss(gates)

    def _weights(self, live: _Pass, entropy: Tensor) -> Tensor:
        """(2B, S - 1) of mean 1, from what the policy's forward pass has just shown."""
        step = self.state.global_step
        self._visit = (step, self._visit[1] + 1 if self._visit[0] == step else 0)
        ids = live.inputs["input_ids"][:, 1:]
        probe_readings = None if live.recorder is None else self.credit.reader.read(live.recorder, ids.shape[1])
        inputs = pair_inputs(live.inputs, entropy, probe_readings)
        given = self.credit.assign(inputs, self._mixture(live.inputs), ids, step=step, micro_step=self._visit[1])
        for name, value in given.metrics.items():
            self._metrics["train" if self.policy.training else "eval"][name].append(value)
        return given.advantages

    def _mixture(self, inputs: dict[str, Any]) -> Tensor:
        """(2B, channels): how much each channel of weights counts; one channel where constraints have none."""
        if self.evidence is not None and self.credit.needs_evidence:
            return self.evidence.mixture(inputs)
        return torch.ones_like(inputs["input_ids"][:, :1], dtype=torch.float32)


def _without_pair(inputs: dict[str, Any]) -> dict[str, Any]:
    # TRL hands every column it does not know to the model.
    return {name: value for name, value in inputs.items() if name != PAIR}
