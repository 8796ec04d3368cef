"""Shared prompts: completions of one prompt packed behind it in a single row, so that a model reads the prompt once.

A group of completions becomes the row

    prompt without its last token | last prompt token, completion 1 | last prompt token, completion 2 | ...

whose positions start again with every completion, and whose mask lets a token see the prompt and its own completion.
Each completion has its own copy of the prompt's last token, since that one predicts the completion's first. Further
groups may follow in the same row, unseen by the others.
"""

import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from inspect import signature
from typing import Any

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from attention_probes.packed import PackedTexts

# Axes: B completions, S padded tokens of prompt and completion; R packed rows, L their padded tokens.

PADDING = -1
"""Segment of a packed row's padding; prompts and completions are numbered from 0, in their order."""
ATTENTION_TYPES = frozenset({"full_attention", "sliding_attention"})
"""Kinds of layers that compute what their mask says; others carry a state from token to token, or choose chunks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The completions of one prompt, by their rows in the batch."""

    rows: tuple[int, ...]
    start: int
    """The column where the prompt begins, in each of the rows; the completion follows it."""
    prompt_length: int
    completion_lengths: tuple[int, ...]

    @property
    def lengths(self) -> list[int]:
        """Return the tokens of each of the group's segments in a packed row."""
        return [self.prompt_length - 1, *(length + 1 for length in self.completion_lengths)]

    @property
    def num_tokens(self) -> int:
        return sum(self.lengths)


def groups_of(
    keys: Sequence[Hashable],
    starts: Sequence[int],
    prompt_lengths: Sequence[int],
    completion_lengths: Sequence[int],
) -> list[Group]:
    """Return the groups of rows with one key, which must have one prompt, in the order of their first rows."""
    rows: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return [
        Group(
            rows=tuple(members),
            start=starts[members[0]],
            prompt_length=prompt_lengths[members[0]],
            completion_lengths=tuple(completion_lengths[row] for row in members),
        )
        for members in rows.values()
    ]


def in_rows(groups: Sequence[Group], tokens_per_row: int) -> list[list[Group]]:
    """Return the groups row by row, in order, as many in each as have this many tokens together, but at least one."""
    rows: list[list[Group]] = []
    for group in groups:
        if rows and sum(one.num_tokens for one in rows[-1]) + group.num_tokens <= tokens_per_row:
            rows[-1].append(group)
        else:
            rows.append([group])
    return rows


class SharedPrompts:
    """The packed rows of a batch (B, S), and the way back to one row for each completion.

    A row takes further groups up to `tokens_per_row`; without, each group has a row of its own.
    """

    def __init__(self, groups: Sequence[Group], *, width: int, device: torch.device, tokens_per_row: int = 0):
        self.rows = in_rows(groups, tokens_per_row)
        self.width = width
        # Built on the host, where the lengths are known, and sent without waiting.
        packed = zip(*map(self._packed, self.rows), strict=True)
        self._source, self.position_ids, self._segment, self._prompt = (
            pad_sequence(list(rows), batch_first=True, padding_value=padding).to(device, non_blocking=True)
            for rows, padding in zip(packed, (0, 0, PADDING, PADDING), strict=True)
        )
        self.texts = self._texts(device)

    def _packed(self, row: Sequence[Group]) -> tuple[Int[Tensor, " L"], ...]:
        """Return for each token of a row its place in the flattened batch, position, segment and prompt's segment."""
        parts, first = [], 0
        for group in row:
            last = group.prompt_length - 1
            places = [group.rows[0] * self.width + group.start]
            places += [member * self.width + group.start + last for member in group.rows]
            positions, segments = [0, *[last] * len(group.rows)], range(first, first + len(places))
            lengths = torch.tensor(group.lengths)
            within = torch.cat([torch.arange(length) for length in group.lengths])
            place, position, segment, prompt = (
                torch.tensor(values).repeat_interleave(lengths)
                for values in (places, positions, segments, [first] * len(places))
            )
            parts.append((place + within, position + within, segment, prompt))
            first += len(places)
        return tuple(map(torch.cat, zip(*parts, strict=True)))

    def _texts(self, device: torch.device) -> PackedTexts:
        batch = sum(len(group.rows) for groups in self.rows for group in groups)
        row, column = torch.zeros(batch, dtype=torch.long), torch.zeros(batch, self.width, dtype=torch.long)
        real = torch.zeros(batch, self.width, dtype=torch.bool)
        for number, groups in enumerate(self.rows):
            begin = 0
            for group in groups:
                prompt = torch.arange(begin, begin + group.prompt_length - 1)
                begin += len(prompt)
                for member, length in zip(group.rows, group.lengths[1:], strict=True):
                    columns = torch.cat([prompt, torch.arange(begin, begin + length)])
                    own = slice(group.start, group.start + len(columns))
                    row[member], column[member, own], real[member, own] = number, columns, True
                    begin += length
        row, column, real = (values.to(device, non_blocking=True) for values in (row, column, real))
        return PackedTexts(row=row, column=column, real=real)

    @property
    def first_rows(self) -> list[int]:
        """Return the batch's row of each packed row's first completion."""
        return [groups[0].rows[0] for groups in self.rows]

    def pack(self, values: Int[Tensor, "B S"]) -> Int[Tensor, "R L"]:
        """Return ids or labels as packed rows; at their padding, the first token of the batch."""
        return values.flatten()[self._source]

    def unpack(self, values: Shaped[Tensor, "R next"]) -> Shaped[Tensor, "B others"]:
        """Return values of each token but a row's first, in packed rows, as those of the batch's; 0 at padding."""
        column, real = self.texts.column[:, 1:], self.texts.real[:, 1:]
        with_first = torch.cat([values.new_zeros(len(values), 1), values], dim=1)
        return with_first[self.texts.row[:, None], column].masked_fill(~real, 0)

    @cached_property
    def allowed(self) -> Bool[Tensor, "R 1 L L"]:
        """Mark what each token may attend to: its prompt and its own completion, up to itself."""
        own = self._segment[:, :, None] == self._segment[:, None]
        prompt = self._prompt[:, :, None] == self._segment[:, None]
        at = self.position_ids
        return ((own | prompt) & (at[:, :, None] >= at[:, None]))[:, None]

    def mask(self, model: Any) -> Tensor | dict[str, Tensor]:
        """Return the attention mask as the model takes it: one, or one for each kind of its layers."""
        config = model.config.get_text_config()
        masks = {kind: _additive(self._allowed_in(kind, config), model) for kind in layer_kinds(config)}
        return masks if len(masks) > 1 else next(iter(masks.values()))

    def _allowed_in(self, kind: str, config: Any) -> Bool[Tensor, "R 1 L L"]:
        window = getattr(config, "sliding_window", None)
        if kind == "full_attention" or window is None:
            return self.allowed
        at = self.position_ids
        return self.allowed & (at[:, :, None] - window < at[:, None])[:, None]


def _additive(allowed: Bool[Tensor, "R 1 L L"], model: Any) -> Tensor:
    """Return the mask as what is added to the logits: a boolean one, SDPA would convert and keep in every layer."""
    lowest = torch.finfo(model.dtype).min
    return torch.zeros(allowed.shape, dtype=model.dtype, device=allowed.device).masked_fill_(~allowed, lowest)


def layer_kinds(config: Any) -> set[str]:
    """Return the kinds of attention among the model's layers, as transformers names them."""
    named = getattr(config, "layer_types", None)
    if named is not None:
        return set(named)
    return {"full_attention" if getattr(config, "sliding_window", None) is None else "sliding_attention"}


def cannot_share(model: Any) -> str | None:
    """Return why the transformers model cannot read several completions in one row, or None if it can."""
    config = model.config.get_text_config()
    # Padding moves learnt positions, in TRL's rows as in TRL itself; rotary ones only count distances.
    rotary = getattr(config, "rope_parameters", None) is not None
    if not rotary or "position_ids" not in signature(model.get_decoder().forward).parameters:
        return f"{type(model).__name__} has no rotary positions"
    if config._attn_implementation not in ("sdpa", "eager"):
        return f"its attention is {config._attn_implementation!r}, and only sdpa and eager take a mask of their own"
    if others := sorted(layer_kinds(config) - ATTENTION_TYPES):
        return f"it has layers of {', '.join(others)}"
    return None


def share_prompts(model: Any, current: Callable[[], SharedPrompts | None], *, experts_loss: bool) -> bool:
    """Make TRL's fused forward pass of a transformers model pack its rows as `current` says, and unpack its results.

    The caller gives and gets batches (B, S) as without it, and where `current` returns None nothing changes. Returns
    False, with a warning, if the model cannot, or has an auxiliary loss of its experts, which counts tokens.
    """
    reason = "the auxiliary loss of its experts counts tokens" if experts_loss else cannot_share(model)
    if reason is not None:
        warnings.warn(f"trainer.shared_prompts: each completion has its own prompt, since {reason}", stacklevel=2)
        return False
    fused = model.forward

    @wraps(fused)
    def forward(*args: Any, **kwargs: Any) -> Any:
        shared = current() if kwargs.get("fused_lm_head") else None
        if shared is None:
            return fused(*args, **kwargs)
        packed = {name: shared.pack(kwargs[name]) for name in ("input_ids", "labels")}
        places = {"attention_mask": shared.mask(model), "position_ids": shared.position_ids}
        outputs = fused(*args, **{**kwargs, **packed, **places})
        for name, values in outputs.items():
            if isinstance(values, Tensor) and values.dim() == 2:  # one for each token but the first
                outputs[name] = shared.unpack(values)
        return outputs

    model.forward = forward
    return True
