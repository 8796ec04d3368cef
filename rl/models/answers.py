"""Answers: the part of a completion that is judged, apart from the thought before it."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from transformers import PreTrainedTokenizerBase

from data.reasoning import ReasoningTags, SplitCompletion, find_tags, split_completion
from rl.common.errors import UserError
from rl.config.model import ModelConfig, ReasoningConfig
from rl.models.tokenization import completion_spans, decode

log = logging.getLogger("heed.models")

PROMPT_TAIL = 64
"""Tokens at the end of a prompt in which a template opens a thought."""


def set_reasoning(tokenizer: PreTrainedTokenizerBase, tags: ReasoningTags | None) -> None:
    """Have a tokenizer's completions split at these tags wherever they are judged, beside its `response_template`.

    Raises UserError for a tag that is a special token: no text holds it, so that it cannot be found.
    """
    for tag in () if tags is None else (tags.start, tags.end):
        token_ids: Any = tokenizer(tag, add_special_tokens=False)["input_ids"]
        if tag not in decode(tokenizer, token_ids):
            raise UserError(
                f"model.reasoning: {tag!r} is a special token of the tokenizer, which is no part of a completion's "
                'text; write "special": false for it in the tokenizer.json of a local copy'
            )
    tokenizer.reasoning_tags = tags  # pyright: ignore[reportAttributeAccessIssue]


def reasoning_tags(tokenizer: PreTrainedTokenizerBase) -> ReasoningTags | None:
    """Return the tags at which a tokenizer's completions are split; None if all of a completion is its answer."""
    return getattr(tokenizer, "reasoning_tags", None)


def configured_tags(tokenizer: PreTrainedTokenizerBase, setting: ReasoningConfig | str | None) -> ReasoningTags | None:
    """Return the tags of `model.reasoning`. Raises UserError when `auto` finds none in the chat template."""
    if setting is None:
        return None
    if isinstance(setting, ReasoningConfig):
        return ReasoningTags(start=setting.start, end=setting.end)
    tags = template_tags(tokenizer)
    if tags is None:
        raise UserError(
            "model.reasoning=auto: the model's chat template names no tags of reasoning that are known; give them as "
            "model.reasoning.start and model.reasoning.end, or set model.reasoning=null"
        )
    return tags


def template_tags(tokenizer: PreTrainedTokenizerBase) -> ReasoningTags | None:
    """Return the tags of reasoning that the tokenizer's chat template names, or None."""
    return find_tags(str(tokenizer.chat_template or ""))


def warn_of_judged_thoughts(model: ModelConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """Warn of a thinking model whose thoughts would be judged as part of its answers."""
    tags = template_tags(tokenizer)
    if model.reasoning is None and tags is not None:
        log.warning(
            "the chat template of %s has thoughts between %s and %s, which are judged as part of the answer; to judge "
            "what stands behind them, set model.reasoning=auto",
            model.name,
            tags.start,
            tags.end,
        )


def split_answer(
    tokenizer: PreTrainedTokenizerBase, prompt_ids: Sequence[int], completion_ids: Sequence[int]
) -> SplitCompletion:
    """Split a sampled completion's text by the tokenizer's tags; the prompt may have opened the thought."""
    tags = reasoning_tags(tokenizer)
    return split_completion(decode(tokenizer, completion_ids), tags, opened=opens_thought(tokenizer, prompt_ids))


def answer_text(tokenizer: PreTrainedTokenizerBase, prompt_ids: Sequence[int], completion_ids: Sequence[int]) -> str:
    """Return the text of an answer that is judged: without its thought, its content by the response template, or all.

    An answer that the template cannot parse, or a tokenizer without tags and template, gives all the text, as in TRL.
    """
    if reasoning_tags(tokenizer) is not None:
        return split_answer(tokenizer, prompt_ids, completion_ids).answer
    if getattr(tokenizer, "response_template", None) is not None:
        with suppress(ValueError, TypeError):  # what the parser raises for a malformed answer
            message: Any = tokenizer.parse_response(list(completion_ids), prefix=list(prompt_ids))
            return (
                (message["content"] or "").removesuffix(str(tokenizer.eos_token or "")) if "content" in message else ""
            )
    return decode(tokenizer, completion_ids)


def written_completion(
    tokenizer: PreTrainedTokenizerBase, prompt_ids: Sequence[int], completion_ids: Sequence[int]
) -> str:
    """Return a completion as a message of a file holds it: its answer, behind a thought with both its tags."""
    tags = reasoning_tags(tokenizer)
    if tags is None:
        return answer_text(tokenizer, prompt_ids, completion_ids)
    text = decode(tokenizer, completion_ids)
    opened = opens_thought(tokenizer, prompt_ids) and not text.lstrip().startswith(tags.start)
    return tags.start + text if opened else text


def answer_tokens(
    tokenizer: PreTrainedTokenizerBase, prompt_ids: Sequence[int], completion_ids: Sequence[int]
) -> list[bool]:
    """Return which tokens are the answer's, the one that ends it included; none while a thought is not finished."""
    split = split_answer(tokenizer, prompt_ids, completion_ids)
    spans = completion_spans(tokenizer, completion_ids)
    return [split.finished and (end > split.start or begin == end >= split.start) for begin, end in spans]


def opens_thought(tokenizer: PreTrainedTokenizerBase, prompt_ids: Sequence[int]) -> bool:
    """Return whether a prompt ends inside a thought, which its template has opened."""
    tags = reasoning_tags(tokenizer)
    if tags is None:
        return False
    return str(tokenizer.decode(list(prompt_ids[-PROMPT_TAIL:]))).rstrip().endswith(tags.start)
