"""Spans: which sampled tokens wrote which characters of a completion."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]

UNFINISHED = "\ufffd"
"""What a tokenizer shows for a character whose bytes have not all come yet."""


def completion_spans(tokenizer: PreTrainedTokenizerBase, completion_ids: Sequence[int]) -> list[Span]:
    """Half-open character span of each token in the decoded completion (special tokens span nothing).

    The sampled ids are decoded cumulatively, never re-tokenised, because about half of all id sequences do not survive
    re-encoding. A character whose bytes are shared by several tokens belongs to each of them.
    """
    special = frozenset(tokenizer.all_special_ids)
    last = max((index for index, token in enumerate(completion_ids) if token not in special), default=0)
    spans: list[Span] = []
    open_tokens: list[int] = []
    finished, anchor = 0, 0
    for index, token in enumerate(completion_ids):
        spans.append((finished, finished))
        if token in special:
            continue
        open_tokens.append(index)
        # One finished token before the open ones keeps a leading space that decoding would strip.
        text = decode(tokenizer, completion_ids[anchor : index + 1])
        before = decode(tokenizer, completion_ids[anchor : open_tokens[0]])
        fresh = text[len(before) :]
        if fresh.endswith(UNFINISHED) and index < last:
            continue
        end = finished + len(fresh)
        for writer in open_tokens:
            spans[writer] = (finished, end)
        finished, anchor, open_tokens = end, index, []
    return spans


def decode(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> str:
    """The text of one token sequence, special tokens left out."""
    text = tokenizer.decode(list(token_ids), skip_special_tokens=True)
    assert isinstance(text, str)
    return text


def tokens_on(spans: Sequence[Span], marked: Sequence[Span]) -> list[bool]:
    """Whether each token wrote at least one marked character."""
    return [any(begin < stop and start < end for start, stop in marked) for begin, end in spans]
