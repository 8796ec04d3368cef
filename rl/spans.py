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
    spans: list[Span] = []
    finished, anchor, open_since = 0, 0, 0
    for index in range(len(completion_ids)):
        # One finished token before the open ones keeps a leading space that decoding would strip.
        text = tokenizer.decode(completion_ids[anchor : index + 1], skip_special_tokens=True)
        before = tokenizer.decode(completion_ids[anchor:open_since], skip_special_tokens=True)
        fresh = text[len(before) :]
        if fresh.endswith(UNFINISHED):
            spans.append((finished, finished))
            continue
        end = finished + len(fresh)
        for unfinished in range(open_since, index):
            spans[unfinished] = (finished, end)
        spans.append((finished, end))
        finished, anchor, open_since = end, index, index + 1
    return spans


def tokens_on(spans: Sequence[Span], marked: Sequence[Span]) -> list[bool]:
    """Whether each token wrote at least one marked character."""
    return [any(begin < stop and start < end for start, stop in marked) for begin, end in spans]
