"""Content: pieces of text with a fixed shape, such as placeholders and postscripts."""

import re

from rewards.arguments import Count, Phrase
from rewards.relations import counted, required
from rewards.verdict import Verdict

PLACEHOLDER = re.compile(r"\[[^\]\n]*\]")
KNOWN_POSTSCRIPTS = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}


def number_placeholders(completion: str, *, num_placeholders: Count) -> Verdict:
    """At least so many placeholders in square brackets. Margin in placeholders. (IFEval)"""
    return counted([match.span() for match in PLACEHOLDER.finditer(completion)], num_placeholders, "at least")


def postscript(completion: str, *, postscript_marker: Phrase) -> Verdict:
    """A postscript follows the marker, letter case ignored. Margin 0 or -1. (IFEval)"""
    marker = postscript_marker.strip()
    pattern = KNOWN_POSTSCRIPTS.get(marker, re.escape(marker))
    match = re.search(rf"(?:{pattern})[^\n]*", completion, re.IGNORECASE)
    return required([match.span() if match else None])


VERIFIERS = {
    "detectable_content:number_placeholders": number_placeholders,
    "detectable_content:postscript": postscript,
}
