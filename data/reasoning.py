"""Reasoning: a completion split into the thought that a model writes first, between two tags, and its answer."""

import re
from dataclasses import dataclass

from rewards.errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasoningTags:
    """What begins and what ends a thought.

    Example:
        ReasoningTags(start="<think>", end="</think>")
    """

    start: str
    end: str

    def __post_init__(self) -> None:
        if not self.start.strip() or not self.end.strip() or self.start in self.end or self.end in self.start:
            raise InputError(
                f"tags of reasoning must be two texts, none within the other; got {self.start!r}, {self.end!r}"
            )


KNOWN_TAGS = tuple(
    ReasoningTags(start=start, end=end)
    for start, end in (
        ("<think>", "</think>"),
        ("<thinking>", "</thinking>"),
        ("<thought>", "</thought>"),
        ("<reasoning>", "</reasoning>"),
        ("<seed:think>", "</seed:think>"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("[THINK]", "[/THINK]"),
    )
)
"""Pairs of tags that published chat templates use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitCompletion:
    """The two parts of a completion.

    Example:
        SplitCompletion(thought="Short.", answer="The sea is blue.", before="<think>Short.</think> ")
    """

    thought: str
    """Without its tags; empty if there is none."""
    answer: str
    """What is judged; empty while the thought is not finished."""
    before: str = ""
    """The completion up to its answer: the thought with its tags."""
    finished: bool = True
    """False for a thought that has no end."""

    @property
    def start(self) -> int:
        """Where the answer begins in the completion."""
        return len(self.before)


def find_tags(template: str) -> ReasoningTags | None:
    """Return the first known pair of tags that a chat template has both of, or None."""
    return next((tags for tags in KNOWN_TAGS if tags.start in template and tags.end in template), None)


def split_completion(text: str, tags: ReasoningTags | None, *, opened: bool = False) -> SplitCompletion:
    """Split a completion whose thought begins at its start, or before it, where the prompt has `opened` the thought.

    A thought ends where as many tags have closed as have opened: it may contain another. One that opens more than it
    closes, as when it speaks of the tag, ends at the last closing tag. Tags behind its end are the answer's text.
    White space before the answer belongs to neither.
    """
    lead = len(text) - len(text.lstrip())
    carried = tags is not None and text.startswith(tags.start, lead)
    if tags is None or not (opened or carried):
        return SplitCompletion(thought="", answer=text)
    begin = lead + len(tags.start) if carried else 0
    end = _end_of_thought(text, begin, tags)
    if end is None:
        return SplitCompletion(thought=text[begin:].strip(), answer="", before=text, finished=False)
    answer = text[end + len(tags.end) :].lstrip()
    before = text[: len(text) - len(answer)]
    return SplitCompletion(thought=text[begin:end].strip(), answer=answer, before=before)


def split_written(text: str, tags: ReasoningTags | None) -> SplitCompletion:
    """Split a completion from a file, whose prompt is not known: a closing tag says that the prompt has opened it."""
    return split_completion(text, tags, opened=tags is not None and tags.end in text.partition(tags.start)[0])


def _end_of_thought(text: str, begin: int, tags: ReasoningTags) -> int | None:
    """Return where the tag stands that ends the thought, or None."""
    depth, last = 1, None
    for match in re.finditer(f"{re.escape(tags.start)}|{re.escape(tags.end)}", text[begin:]):
        depth += 1 if match[0] == tags.start else -1
        last = begin + match.start() if match[0] == tags.end else last
        if depth == 0:
            break
    return last
