"""Markdown structure: the blocks of a text, read as CommonMark with tables."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from rewards.text import strip_span
from rewards.verdict import Span

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LINE_END = re.compile(r"\r\n?|\n")
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
    level: int
    """The level of a heading, 1 to 6; for quotes, bullets and numbers the depth of nesting, from 1."""
    info: str
    """The text of a heading, the language of a fence."""
    cells: tuple[str, ...]
    """The cells of a row."""


@lru_cache(maxsize=64)
def blocks(text: str) -> tuple[MarkdownBlock, ...]:
    """Return the blocks of a text in the order in which they begin; nested blocks are listed too."""
    return tuple(_blocks(text, _parser().parse(text)))


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


def _blocks(text: str, tokens: Sequence["Token"]) -> Iterator[MarkdownBlock]:
    starts = [0, *(match.end() for match in LINE_END.finditer(text)), len(text)]
    open_lists: list[str] = []
    open_quotes = 0
    for index, token in enumerate(tokens):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            open_lists.append("bullet" if token.type == "bullet_list_open" else "number")
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            open_lists.pop()
        open_quotes += (token.type == "blockquote_open") - (token.type == "blockquote_close")
        kind = open_lists[-1] if token.type == "list_item_open" else OPENINGS.get(token.type)
        if kind and token.map:
            yield MarkdownBlock(
                kind=kind,
                span=strip_span(text, (starts[token.map[0]], starts[token.map[1]])),
                level=_level(kind, token, open_quotes=open_quotes, open_lists=len(open_lists)),
                info=tokens[index + 1].content if kind == "heading" else token.info.strip() if kind == "fence" else "",
                cells=_cells(tokens, index) if kind == "row" else (),
            )


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

    return MarkdownIt("commonmark").enable("table").disable("inline")
