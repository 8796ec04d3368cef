"""DPO with token credit: TRL's trainer with the log-probs of its fused forward pass weighted token by token."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

from attention_probes.record import AttentionRecorder
from data.preferences import PreferencePair
from rl.config.credit import Region
from rl.credit.assigner import CreditAssigner
from rl.credit.columns import ANSWER
from rl.credit.pairs import EVIDENCE, PAIR, PairEvidence, answer_masks, pair_inputs, pair_spans
from rl.models.shared_prompts import SharedPrompts, groups_of, share_prompts
from rl.models.tokenization import encode_problems, pad_right
from rl.routing.route import load_balancing_loss
from rl.trainers.base import AdapterTrainer

# Axes: 2B rows, the chosen answers first; S tokens of prompt and answer; S - 1 log-probs, of the tokens but the first.

LENGTHS = "lengths"
"""The rows' tokens of prompt, and of answer, as lists, which the host reads without waiting for the device."""


@dataclass
class PairCollator(DataCollatorForPreference):
    """TRL's collator, with each row's pair, lengths and, if the credit needs it, evidence as more columns."""

    evidence: PairEvidence | None = None
    answers_of: PreTrainedTokenizerBase | None = None
    """The tokenizer that tells answers from thoughts, where only one of the two gets credit."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch = super().torch_call(examples)
        answers, both = batch["completion_mask"].sum(dim=1), batch["attention_mask"].sum(dim=1)
        lengths = torch.stack([both - answers, answers]).tolist()
        batch = {**batch, PAIR: [example[PAIR] for example in examples], LENGTHS: lengths}
        batch |= {} if self.answers_of is None else {ANSWER: answer_masks(self.answers_of, batch)}
        return batch if self.evidence is None else {**batch, **self.evidence.columns(batch)}


@dataclass
class _LossCall:
    """One call of the loss: the policy's forward pass decides the token weights, the reference's reuses them."""

    inputs: dict[str, Any]
    recorder: AttentionRecorder | None
    weights: Tensor | None = None


class CreditDPOTrainer(AdapterTrainer, DPOTrainer):
    """TRL's DPOTrainer with the log-probs of policy and reference weighted token by token, by the same weights.

    The weights of an answer average 1, so that every loss keeps its scale. `logps/*` and `rewards/*` are computed from
    the weighted log-probs.
    """

    _live: _LossCall | None = None
    """The call under way; None outside the loss."""
    shares_prompts = False  # also while TRL computes reference log-probs in its constructor
    _shared: SharedPrompts | None = None
    """The packed rows of the forward pass under way, or None."""
    _micro_step = (0, 0)
    """The optimizer step and the number of the micro-batch in it."""

    def __init__(
        self,
        *args: Any,
        credit: CreditAssigner,
        pairs: Sequence[PreferencePair],
        shared_prompts: bool = False,
        tokens_per_row: int = 0,
        **kwargs: Any,
    ):
        constrained = any(pair.problem.constraints for pair in pairs)
        needs_evidence = credit.needs_evidence or (credit.needs_constraint_attention and constrained)
        evidence = PairEvidence(kwargs["processing_class"], pairs) if needs_evidence else None
        super().__init__(*args, data_collator=self._collator(kwargs, evidence, credit.region), **kwargs)
        self.credit = credit
        self.pairs = pairs
        self._tokens_per_row = tokens_per_row
        model = self.policy.get_base_model()
        self.shares_prompts = shared_prompts and share_prompts(
            model, lambda: self._shared, experts_loss=self.aux_loss_enabled
        )
        self._wrap_forward()

    def _collator(self, kwargs: dict[str, Any], evidence: PairEvidence | None, region: Region) -> PairCollator:
        args, tokenizer = kwargs["args"], kwargs["processing_class"]
        return PairCollator(
            evidence=evidence,
            answers_of=None if region == "all" else tokenizer,
            pad_token_id=tokenizer.pad_token_id,
            max_length=args.max_length,
            truncation_mode=args.truncation_mode,
            pad_to_multiple_of=args.pad_to_multiple_of,
        )

    def _wrap_forward(self) -> None:
        """Make the fused forward pass, which TRL patched into the base model, return weighted log-probs."""
        base: Any = self.policy.get_base_model()
        fused = base.forward

        @functools.wraps(fused)
        def forward(*args: Any, **kwargs: Any) -> Any:
            outputs = fused(*args, **kwargs)
            if self._live is not None and getattr(outputs, "log_probs", None) is not None:
                if self._live.weights is None:
                    self._live.weights = self._token_weights(self._live, outputs.entropy)
                outputs.log_probs = outputs.log_probs * self._live.weights
            return outputs

        base.forward = forward

    def compute_ref_log_probs(self, model, inputs):
        with self._packing(inputs):
            return super().compute_ref_log_probs(model, _trl_columns(inputs))

    @contextmanager
    def _packing(self, inputs: Mapping[str, Any]) -> Iterator[SharedPrompts | None]:
        """Compute the block's forward passes with both answers of a pair behind one prompt, if prompts are shared."""
        if self.shares_prompts:
            prompts, answers = inputs[LENGTHS]
            # Prompts that were truncated at their start, each by its answer's length, are no longer the same.
            keys = list(zip([*inputs[PAIR], *inputs[PAIR]], prompts, strict=True))
            groups = groups_of(keys, [0] * len(keys), prompts, answers)
            ids = inputs["input_ids"]
            self._shared = SharedPrompts(
                groups, width=ids.shape[1], device=ids.device, tokens_per_row=self._tokens_per_row
            )
        try:
            yield self._shared
        finally:
            self._shared = None

    def _compute_loss(self, model, inputs, return_outputs):
        step, spans = self.state.global_step, pair_spans(inputs)
        try:
            with (
                self._packing(inputs) as shared,
                self.credit.recording(model, step=step, spans=spans) as recorder,
            ):
                balance_loss = self._gate(inputs)
                if recorder is not None and shared is not None:
                    recorder.texts = shared.texts
                self._live = _LossCall(inputs=inputs, recorder=recorder)
                outcome = super()._compute_loss(model, _trl_columns(inputs), return_outputs)
        finally:
            self._live = None
        if balance_loss is None:
            return outcome
        return (outcome[0] + balance_loss, outcome[1]) if return_outputs else outcome + balance_loss

    def _problem_ids(self, batch: Mapping[str, Any]) -> list[str]:
        return [self.pairs[index].problem.problem_id for index in batch[PAIR]]

    def _gate(self, inputs: dict[str, Any]) -> Tensor | None:
        """Apply to both answers of a pair the gates of their prompt.

        Returns the load-balancing loss for a router that learns from the loss, else None.
        """
        if self.route is None:
            return None
        problems = [self.pairs[index].problem for index in inputs[PAIR]]
        prompts = encode_problems(self.policy_tokenizer, problems)
        tasks = [problem.task for problem in problems]
        gates = self.route.gates_with_grad(*pad_right(prompts), tasks)
        self._log_metrics(self.route.metrics(gates.detach(), tasks))
        rows = torch.cat([gates, gates])
        self.gate(rows if self._shared is None else rows[self._shared.first_rows])
        settings = self.route.settings
        return None if settings.frozen else settings.balance * load_balancing_loss(gates)

    def _token_weights(self, live: _LossCall, entropy: Tensor) -> Tensor:
        """Return weights (2B, S - 1) of mean 1 an answer, from what the policy's forward pass has just shown."""
        step = self.state.global_step
        micro_step = self._micro_step[1] + 1 if self._micro_step[0] == step else 0
        self._micro_step = (step, micro_step)
        ids = live.inputs["input_ids"][:, 1:]
        readings = None if live.recorder is None else self.credit.reader.read(live.recorder, ids.shape[1])
        inputs = pair_inputs(live.inputs, entropy, readings, self.credit.region)
        assigned = self.credit.assign(inputs, self._mixture(live.inputs), ids, step=step, micro_step=micro_step)
        self._log_metrics(assigned.metrics)
        return assigned.advantages

    def _mixture(self, inputs: dict[str, Any]) -> Tensor:
        """Return (2B, channels): how much each channel of weights counts; one channel if constraints have none."""
        if self.credit.needs_evidence:
            return inputs["mixture"]
        return torch.ones_like(inputs["input_ids"][:, :1], dtype=torch.float32)


def _trl_columns(inputs: dict[str, Any]) -> dict[str, Any]:
    # TRL passes every column that it does not know on to the model.
    return {name: value for name, value in inputs.items() if name not in (PAIR, LENGTHS, ANSWER, *EVIDENCE)}
