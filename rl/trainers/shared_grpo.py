"""GRPO with shared prompts: TRL's trainer, whose forward passes read the prompt of a group once."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import split_tensor_dict

from rl.models.shared_prompts import SharedPrompts, groups_of, share_prompts
from rl.rollouts.rollout_func import PLACEHOLDER_POSITION

# Axes: B completions, S padded tokens of prompt and completion.


class SharedPromptsGRPOTrainer(GRPOTrainer):
    """TRL's GRPOTrainer, or, once `share_prompts` was called, the same with each group's prompt read once.

    Micro-batches are then whole groups where their size allows it: TRL's shuffle orders groups, and no longer rows.
    """

    args: GRPOConfig
    shares_prompts = False
    tokens_per_row = 0
    """Up to which groups are packed into one row; 0 gives each a row of its own."""
    shared: SharedPrompts | None = None
    """The packed rows of the forward pass under way; None when each completion has a row of its own."""

    def share_prompts(self, model: Any, *, tokens_per_row: int = 0) -> None:
        """Share prompts if the transformers model can, or else warn why not."""
        self.tokens_per_row = tokens_per_row
        self.shares_prompts = share_prompts(model, lambda: self.shared, experts_loss=self.aux_loss_enabled)

    def pack(self, inputs: Mapping[str, Any]) -> SharedPrompts | None:
        """Pack a micro-batch, whose lengths the host knows without waiting for the device, or return None."""
        if not self.shares_prompts:
            return None
        prompts, completions = (inputs[name] for name in ("prompt_ids", "completion_ids"))
        lengths = inputs["prompt_length"], inputs["completion_length"]
        return self._packed(
            inputs["position"], *lengths, widths=(prompts.shape[1], completions.shape[1]), device=prompts.device
        )

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        before = self._buffered_inputs
        inputs = super()._prepare_inputs(generation_batch)
        if not self.shares_prompts or self._buffered_inputs is None or self._buffered_inputs is before:
            return inputs
        assert self.args.steps_per_generation is not None, "TRL fills it in"
        self._buffered_inputs = with_whole_groups(self._buffered_inputs)
        return self._buffered_inputs[self._step % self.args.steps_per_generation]

    def pack_rows(self, rows: Tensor, positions: Sequence[int], mask: Tensor, keep: int) -> SharedPrompts | None:
        """Pack some rows of a batch with these positions and mask (B, S), of which `keep` columns are completions."""
        if not self.shares_prompts:
            return None
        width, mask = mask.shape[1] - keep, mask[rows]
        lengths = torch.stack([mask[:, :width].sum(dim=1), mask[:, width:].sum(dim=1)]).tolist()
        own = [positions[row] for row in rows.tolist()]
        return self._packed(own, *lengths, widths=(width, keep), device=mask.device)

    def _packed(
        self,
        positions: Sequence[int],
        prompt_lengths: Sequence[int],
        completion_lengths: Sequence[int],
        *,
        widths: tuple[int, int],
        device: torch.device,
    ) -> SharedPrompts:
        """Pack rows as TRL pads them, prompts on the left and completions on the right of these widths."""
        starts = [widths[0] - length for length in prompt_lengths]
        groups = groups_of(_keys(positions), starts, prompt_lengths, completion_lengths)
        return SharedPrompts(groups, width=sum(widths), device=device, tokens_per_row=self.tokens_per_row)


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
