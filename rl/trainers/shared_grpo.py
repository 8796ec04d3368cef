"""GRPO with shared prompts: TRL's trainer, whose forward passes read the prompt of a group once."""

import warnings
from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import split_tensor_dict

from rl.models.shared_prompts import SharedPrompts, cannot_share, groups_of
from rl.rollouts.rollout_func import PLACEHOLDER_POSITION

# Axes: B completions, S padded tokens of prompt and completion, T of the completion.


class SharedPromptsGRPOTrainer(GRPOTrainer):
    """TRL's GRPOTrainer, or, once `shares_prompts` is set, the same with each group in one row.

    Micro-batches are then whole groups where their size allows it: TRL's shuffle orders groups, and no longer rows.
    """

    args: GRPOConfig
    shares_prompts = False
    shared: SharedPrompts | None = None
    """The packed rows of the micro-batch whose loss is being computed."""

    def share_prompts(self, model: Any) -> None:
        """Share prompts if the transformers model can, or else warn why not."""
        reason = "the auxiliary loss of its experts counts tokens" if self.aux_loss_enabled else cannot_share(model)
        self.shares_prompts = reason is None
        if reason is not None:
            warnings.warn(f"trainer.shared_prompts: each completion has its own prompt, since {reason}", stacklevel=2)

    def latest_positions(self) -> Sequence[int]:
        """Return each row's group in the generation batch that is being scored."""
        raise NotImplementedError

    def entered(self, rows: Sequence[int]) -> AbstractContextManager[None]:
        """Enter what a forward pass of the generation batch's rows, one for each group, needs."""
        return nullcontext()

    def pack(self, inputs: Mapping[str, Any]) -> SharedPrompts | None:
        """Pack a micro-batch, whose lengths the host knows without waiting for the device, or return None."""
        if not self.shares_prompts:
            return None
        groups = groups_of(_keys(inputs["position"]), inputs["prompt_length"], inputs["completion_length"])
        prompts, completions = (inputs[name] for name in ("prompt_ids", "completion_ids"))
        return SharedPrompts(
            groups, prompt_width=prompts.shape[1], completion_width=completions.shape[1], device=prompts.device
        )

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        before = self._buffered_inputs
        inputs = super()._prepare_inputs(generation_batch)
        if not self.shares_prompts or self._buffered_inputs is None or self._buffered_inputs is before:
            return inputs
        assert self.args.steps_per_generation is not None, "TRL fills it in"
        self._buffered_inputs = with_whole_groups(self._buffered_inputs)
        return self._buffered_inputs[self._step % self.args.steps_per_generation]

    def unshared_logps(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return what TRL's own forward pass does, each completion in a row with its own prompt."""
        return super()._get_per_token_logps_and_entropies(*args, **kwargs)

    def _get_per_token_logps_and_entropies(
        self, model, input_ids, attention_mask, logits_to_keep, batch_size=None, compute_entropy=False, **kwargs
    ):
        if not self.shares_prompts:
            return self.unshared_logps(
                model, input_ids, attention_mask, logits_to_keep, batch_size, compute_entropy, **kwargs
            )
        if self.shared is not None:
            return *self._shared_pass(model, self.shared, input_ids), None
        parts = []
        for rows in torch.arange(len(input_ids)).split(batch_size or len(input_ids)):
            shared = self._pack_rows(rows, attention_mask, logits_to_keep)
            with self.entered(rows[shared.first_rows].tolist()):
                parts.append(self._shared_pass(model, shared, input_ids[rows]))
        logps, entropies = (torch.cat(values) for values in zip(*parts, strict=True))
        return logps, entropies if compute_entropy else None, None

    def _shared_pass(self, model: Any, shared: SharedPrompts, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probs and entropies (B, T) of the completions in `ids` (B, S), by TRL's fused head."""
        policy: Any = self.accelerator.unwrap_model(model)
        with self.accelerator.autocast():
            outputs = model(
                input_ids=shared.pack(ids),
                attention_mask=shared.mask(policy.get_base_model() if isinstance(policy, PeftModel) else policy),
                position_ids=shared.position_ids,
                labels=shared.labels(ids),
                fused_lm_head=True,
            )
        return shared.unpack(outputs.log_probs), shared.unpack(outputs.entropy)

    def _pack_rows(self, rows: Tensor, mask: Tensor, keep: int) -> SharedPrompts:
        """Pack some rows of the generation batch that is being scored."""
        width, positions = mask.shape[1] - keep, self.latest_positions()
        lengths = torch.stack([mask[rows, :width].sum(dim=1), mask[rows, width:].sum(dim=1)]).tolist()
        groups = groups_of(_keys([positions[row] for row in rows.tolist()]), *lengths)
        return SharedPrompts(groups, prompt_width=width, completion_width=keep, device=mask.device)


def _keys(positions: Sequence[int]) -> list[Hashable]:
    """Return what tells groups apart: their positions; each row that stands in for a dropped one is its own."""
    return [(position, row if position == PLACEHOLDER_POSITION else None) for row, position in enumerate(positions)]


def with_whole_groups(batches: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return TRL's shuffled micro-batches with the rows of each group together, groups in the order of their first."""
    positions = [position for batch in batches for position in batch["position"]]
    first = {position: row for row, position in reversed(list(enumerate(positions)))}
    order = sorted(range(len(positions)), key=lambda row: first[positions[row]])
    whole = {name: _ordered([batch[name] for batch in batches], order) for name in batches[0]}
    return split_tensor_dict(whole, len(batches))


def _ordered(parts: list[Any], order: list[int]) -> Any:
    if isinstance(parts[0], list):
        rows = [value for part in parts for value in part]
        return [rows[row] for row in order]
    if parts[0] is None or parts[0].ndim == 0:  # one for the whole generation batch
        return parts[0]
    return torch.cat(parts)[order]
