"""Markdown structure: the blocks of a text, read as CommonMark with tables."""

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from rewards.text import LINE, strip_span
from rewards.verdict import Span

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LINE_END = re.compile(r"\r\n?|\n")
WRAPPED = re.compile(r"\A\s*(`{3,}|~{3,})[ \t]*(?:markdown|md)[ \t]*\n", re.IGNORECASE)
"""The line before a whole answer in a fence that says it is Markdown."""
TICKS = re.compile("`+")
OPENINGS = {
    "heading_open": "heading",
    "blockquote_open": "quote",
    "fence": "fence",
    "hr": "rule",
    "table_open": "table",
    "tr_open": "row",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkdownBlock:
    """One block of a Markdown text.

    Example:
        MarkdownBlock(kind="heading", span=(0, 9), level=2, info="Weather", cells=())     # from "## Weather"
    """

    kind: str
    """heading, quote, bullet, number, fence, rule, table, or a row of a table (its header row too)."""
    span: Span
    """Its lines; those of a list item end where a list inside it begins."""
    level: int
    """The level of a heading, 1 to 6; for quotes, bullets and numbers the depth of nesting, from 1."""
    info: str
    """The text of a heading, the language of a fence."""
    cells: tuple[str, ...]
    """The cells of a row."""


@lru_cache(maxsize=64)
def blocks(text: str) -> tuple[MarkdownBlock, ...]:
    """Return the blocks of a text in the order in which they begin; nested blocks are listed too.

    Of an answer that is one fence of Markdown, the blocks are those inside.
    """
    markdown = _unwrapped(text)
    with _collection_paused():
        return tuple(_blocks(markdown, _parser().parse(markdown)))


def blocks_of(text: str, kind: str) -> list[MarkdownBlock]:
    """Return the blocks of one kind."""
    return [block for block in blocks(text) if block.kind == kind]


def block_spans(text: str, kind: str) -> list[Span]:
    """Return the spans of the blocks of one kind."""
    return [block.span for block in blocks_of(text, kind)]


def fenced_content(text: str, fence: MarkdownBlock) -> Span:
    """Return the span between the marks of a code fence."""
    start, end = fence.span
    first_line_end = text.find("\n", start, end)
    last_line_start = text.rfind("\n", start, end)
    if first_line_end < 0:
        return end, end
    closed = last_line_start >= first_line_end and not text[last_line_start:end].strip("`~ \t\n")
    return first_line_end + 1, max(first_line_end + 1, last_line_start if closed else end)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Pause the garbage collector: it walks through all of a process, many times while tokens are made by thousands."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@lru_cache(maxsize=64)
def without_code(text: str) -> str:
    """Return the text with blanks for its code, in fences and between backticks; positions stay."""
    masked = _unwrapped(text)
    if "`" not in masked and "~~~" not in masked:
        return masked
    pieces, position = [], 0
    for start, end in sorted((*block_spans(text, "fence"), *_code_in_lines(masked))):
        if start >= position:
            pieces += [masked[position:start], re.sub(r"[^\n]", " ", masked[start:end])]
            position = end
    return "".join((*pieces, masked[position:]))


def _code_in_lines(text: str) -> Iterator[Span]:
    """Yield the spans of code between two equal runs of backticks on one line."""
    for line in LINE.finditer(text):
        open_runs: dict[str, int] = {}
        for match in TICKS.finditer(text, *line.span()):
            if match[0] in open_runs:
                yield open_runs[match[0]], match.end()
                open_runs.clear()
            else:
                open_runs[match[0]] = match.start()


def _unwrapped(text: str) -> str:
    """Return the text with blanks for the two lines of a fence of Markdown around it; positions stay."""
    opening = WRAPPED.match(text)
    end = len(text.rstrip())
    if opening is None or not text.endswith("\n" + opening[1], opening.end() - 1, end):
        return text
    closing = end - len(opening[1])
    blank = re.sub(r"[^\n]", " ", text[: opening.end()])
    return blank + text[opening.end() : closing] + " " * len(opening[1]) + text[end:]


def _blocks(text: str, tokens: Sequence["Token"]) -> Iterator[MarkdownBlock]:
    starts = [0, *(match.end() for match in LINE_END.finditer(text)), len(text)]
    open_lists: list[str] = []
    open_quotes = 0
    inner_lists = _inner_lists(tokens)
    for index, token in enumerate(tokens):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            open_lists.append("bullet" if token.type == "bullet_list_open" else "number")
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            open_lists.pop()
        open_quotes += (token.type == "blockquote_open") - (token.type == "blockquote_close")
        kind = open_lists[-1] if token.type == "list_item_open" else OPENINGS.get(token.type)
        if kind and token.map:
            first, last = token.map[0], inner_lists.get(index, token.map[1])
            yield MarkdownBlock(
                kind=kind,
                span=strip_span(text, (starts[first], starts[last])),
                level=_level(kind, token, open_quotes=open_quotes, open_lists=len(open_lists)),
                info=tokens[index + 1].content if kind == "heading" else token.info.strip() if kind == "fence" else "",
                cells=_cells(tokens, index) if kind == "row" else (),
            )


def _inner_lists(tokens: Sequence["Token"]) -> dict[int, int]:
    """Return the line at which the first list inside a list item begins, by the item's index, if on a later line."""
    lines: dict[int, int] = {}
    open_items: list[int] = []
    for index, token in enumerate(tokens):
        if token.type == "list_item_open":
            open_items.append(index)
        elif token.type == "list_item_close":
            open_items.pop()
        elif token.type in ("bullet_list_open", "ordered_list_open") and open_items and token.map:
            item = tokens[open_items[-1]]
            if item.map and token.map[0] > item.map[0]:
                lines.setdefault(open_items[-1], token.map[0])
    return lines


def _level(kind: str, token: "Token", *, open_quotes: int, open_lists: int) -> int:
    match kind:
        case "heading":
            return int(token.tag.removeprefix("h"))
        case "quote":
            return open_quotes
        case "bullet" | "number":
            return open_lists
        case _:
            return 0


def _cells(tokens: Sequence["Token"], row: int) -> tuple[str, ...]:
    """Return a row's cells as rendered: the parser drops cells past the header's and adds missing ones."""
    end = next(index for index in range(row, len(tokens)) if tokens[index].type == "tr_close")
    return tuple(token.content for token in tokens[row:end] if token.type == "inline")


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # only when a structure is needed

    return MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])
