"""The probed text: one prompt and completion, tokenised as in training, with the tokens that state each constraint."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rl.common.errors import UserError
from rl.models.tokenization import (
    adds_special_tokens,
    completion_spans,
    decode,
    prompt_text,
    tokens_overlapping,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbedText:
    """One prompt and completion as the model reads them."""

    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    """Text of each token."""
    num_prompt_tokens: int
    constraints: dict[str, tuple[bool, ...]]
    """For each constraint, whether a token states it."""

    def completion_mask(self) -> Tensor:
        """Mark the completion's tokens, (1, S)."""
        return (torch.arange(len(self.ids)) >= self.num_prompt_tokens)[None]


def probed_text(
    tokenizer: PreTrainedTokenizerBase,
    policy: Any,
    prompt: str,
    completion: str | None,
    constraints: Sequence[str],
    max_new_tokens: int,
) -> ProbedText:
    """Tokenise the prompt inside the chat template, and the completion behind it: given, or else generated greedily.

    Raises UserError for an empty completion and for a constraint that is no passage of the prompt.
    """
    templated = prompt_text(tokenizer, [{"role": "user", "content": prompt}])
    special = adds_special_tokens(tokenizer)
    encoding = tokenizer(templated, add_special_tokens=special, return_offsets_mapping=True)
    prompt_ids, offsets = encoding["input_ids"], [tuple(pair) for pair in encoding["offset_mapping"]]
    if completion is None:
        completion_ids = _generate(policy, tokenizer, prompt_ids, max_new_tokens)
    else:
        completion_ids = tokenizer(completion, add_special_tokens=False)["input_ids"]
    if not completion_ids:
        raise UserError("the completion has no token to probe")
    completion_text, spans = decode(tokenizer, completion_ids), completion_spans(tokenizer, completion_ids)
    sources = [(templated, span) for span in offsets] + [(completion_text, span) for span in spans]
    return ProbedText(
        ids=(*prompt_ids, *completion_ids),
        pieces=tuple(source[start:stop] for source, (start, stop) in sources),
        num_prompt_tokens=len(prompt_ids),
        constraints={
            constraint: (
                *tokens_overlapping(offsets, [_span_of(constraint, prompt, templated)]),
                *[False] * len(completion_ids),
            )
            for constraint in constraints
        },
    )


def _generate(policy: Any, tokenizer: PreTrainedTokenizerBase, prompt_ids: list[int], max_new_tokens: int) -> list[int]:
    ids = torch.tensor([prompt_ids], device=policy.device)
    with torch.no_grad():
        sequence = policy.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
    return sequence[0, len(prompt_ids) :].tolist()


def _span_of(constraint: str, prompt: str, templated: str) -> tuple[int, int]:
    """Return the constraint's character span in the templated prompt."""
    if constraint not in prompt:
        raise UserError(f"the constraint {constraint!r} is not a passage of the prompt")
    start = templated.index(constraint, max(templated.find(prompt.strip()), 0))
    return start, start + len(constraint)
