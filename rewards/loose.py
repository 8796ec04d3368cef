"""Loose verdicts: satisfied if any of IFEval's eight lightly edited completions is (arXiv 2311.07911, section 2.2)."""

from typing import Any

from rewards.verdict import Verdict
from rewards.verifiers import verify


def loose_variants(completion: str) -> tuple[str, ...]:
    """Return the completion, then without its first line, its last line, both; then the same without asterisks."""
    lines = completion.split("\n")
    edges = (lines, lines[1:], lines[:-1], lines[1:-1])
    variants = [completion, *("\n".join(edge).strip() for edge in edges[1:])]
    return tuple(variants + [variant.replace("*", "") for variant in variants])


def verify_loosely(kind: str, completion: str, /, *, prompt: str, **kwargs: Any) -> bool | None:
    """Return whether any loose variant satisfies the constraint under `eval`; None if it applies to none of them.

    There is no margin and no evidence: spans of an edited text say nothing about the completion.
    """
    verdicts: list[Verdict] = [
        verify(kind, text, prompt=prompt, semantics="eval", **kwargs) for text in loose_variants(completion)
    ]
    if all(verdict.satisfied is None for verdict in verdicts):
        return None
    return any(verdict.satisfied for verdict in verdicts)
