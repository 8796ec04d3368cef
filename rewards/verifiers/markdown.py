"""Markdown verifiers: headings, quotes, lists, code fences, rules and links, read as CommonMark."""

import re
from typing import Annotated

from pydantic import Field

from rewards.count_verdicts import Relation, count_verdict, forbidden_verdict, relation_margin, required_verdict
from rewards.emphasis import emphases
from rewards.markup import block_spans, blocks, blocks_of, without_code
from rewards.text import LINE
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count, Ordinal, Phrase

Levels = Annotated[list[Annotated[Ordinal, Field(le=6)]], Field(min_length=1)]

LINK_END = re.compile(r"\]\(<?(?:[^\s()<>]|\([^\s()]*\))+>?(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'))?\)")
TASK = re.compile(r"^(?:[-*+]|\d+[.)])\s+\[([ xX])\]\s")


def headings(completion: str, *, num_headings: Count, relation: Relation) -> Verdict:
    """Check the number of headings of any level. Margin in headings."""
    return count_verdict(block_spans(completion, "heading"), num_headings, relation)


def heading_levels(completion: str, *, levels: Levels) -> Verdict:
    """Check for a heading of each of the levels. Margin: minus the missing levels."""
    first = {block.level: block.span for block in reversed(blocks_of(completion, "heading"))}
    return required_verdict([first.get(level) for level in levels])


def heading_depth(completion: str, *, num_levels: Count, relation: Relation) -> Verdict:
    """Check the number of different heading levels. Margin in levels."""
    first = {block.level: block.span for block in reversed(blocks_of(completion, "heading"))}
    return count_verdict(sorted(first.values()), num_levels, relation)


def block_quotes(completion: str, *, num_quotes: Count, relation: Relation) -> Verdict:
    """Check the number of block quotes, nested ones not counted. Margin in quotes."""
    outer = [block.span for block in blocks_of(completion, "quote") if block.level == 1]
    return count_verdict(outer, num_quotes, relation)


def bullet_items(completion: str, *, num_items: Count, relation: Relation) -> Verdict:
    """Check the number of bullet items, those of nested lists too. Margin in items."""
    return count_verdict(block_spans(completion, "bullet"), num_items, relation)


def numbered_items(completion: str, *, num_items: Count, relation: Relation) -> Verdict:
    """Check the number of numbered items, those of nested lists too. Margin in items."""
    return count_verdict(block_spans(completion, "number"), num_items, relation)


def list_depth(completion: str, *, depth: Count, relation: Relation) -> Verdict:
    """Check the depth of the most deeply nested list; 1 for a plain list, 0 for none. Margin in levels."""
    items = [block for block in blocks(completion) if block.kind in ("bullet", "number")]
    deepest = max((item.level for item in items), default=0)
    margin = relation_margin(deepest, depth, relation)
    evidence = tuple(item.span for item in items if item.level == deepest)
    return Verdict(satisfied=margin >= 0, margin=margin, evidence=evidence)


def no_lists(completion: str) -> Verdict:
    """Check that there is neither a bullet nor a numbered list. Margin: minus the items."""
    return forbidden_verdict([block.span for block in blocks(completion) if block.kind in ("bullet", "number")])


def checked_items(completion: str, *, num_items: Count, relation: Relation) -> Verdict:
    """Check the number of items of task lists, `- [ ]` or `- [x]`. Margin in items."""
    items = [block.span for block in blocks(completion) if block.kind in ("bullet", "number")]
    return count_verdict([span for span in items if TASK.match(completion[slice(*span)])], num_items, relation)


def code_fences(completion: str, *, num_fences: Count, relation: Relation) -> Verdict:
    """Check the number of fenced code blocks. Margin in blocks."""
    return count_verdict(block_spans(completion, "fence"), num_fences, relation)


def code_language(completion: str, *, language: Phrase) -> Verdict:
    """Check that a fenced code block names this language, letter case ignored. Margin 0 or -1."""
    matching = [
        b.span for b in blocks_of(completion, "fence") if b.info.lower().split(" ")[0] == language.strip().lower()
    ]
    return required_verdict([matching[0] if matching else None])


def rules(completion: str, *, num_rules: Count, relation: Relation) -> Verdict:
    """Check the number of horizontal rules. Margin in rules."""
    return count_verdict(block_spans(completion, "rule"), num_rules, relation)


def bold(completion: str, *, num_bold: Count, relation: Relation) -> Verdict:
    """Check the number of pieces in **bold** or __bold__, each on one line, code left out. Margin in pieces."""
    return count_verdict(_bold_spans(completion), num_bold, relation)


def markdown_links(completion: str, *, num_links: Count, relation: Relation) -> Verdict:
    """Check the number of links `[text](address)`, images and code left out. Margin in links."""
    lines = LINE.finditer(without_code(completion))
    return count_verdict([span for line in lines for span in _links(line)], num_links, relation)


def plain_text(completion: str) -> Verdict:
    """Check that there is no heading, quote, list, fence, rule, table or bold text. Margin: minus those there are."""
    marked = [block.span for block in blocks(completion) if block.kind != "row"]
    return forbidden_verdict(sorted(marked + _bold_spans(completion)))


def _bold_spans(text: str) -> list[Span]:
    return [piece.span for piece in emphases(text) if piece.num_marks > 1]


def _links(line: re.Match[str]) -> list[Span]:
    """Return the spans of the links in a line.

    Found backwards from `](...)`: searching from each `[` takes quadratic time on a line of nothing else.
    """
    spans = []
    after = 0
    for match in LINK_END.finditer(line[0]):
        opening = line[0].rfind("[", after, match.start())
        is_image = line[0][max(opening - 1, 0) : opening] == "!"
        if opening >= 0 and not is_image and line[0][opening + 1 : match.start()].strip():
            spans.append((line.start() + opening, line.start() + match.end()))
        after = match.end()
    return spans


VERIFIERS = {
    "format:block_quotes": block_quotes,
    "format:bold": bold,
    "format:bullet_items": bullet_items,
    "format:checked_items": checked_items,
    "format:code_fences": code_fences,
    "format:code_language": code_language,
    "format:heading_depth": heading_depth,
    "format:heading_levels": heading_levels,
    "format:headings": headings,
    "format:list_depth": list_depth,
    "format:markdown_links": markdown_links,
    "format:no_lists": no_lists,
    "format:numbered_items": numbered_items,
    "format:plain_text": plain_text,
    "format:rules": rules,
}
