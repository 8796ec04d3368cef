"""The block structure of a Markdown text (CommonMark with tables): headings, quotes, lists, fences, rules, tables."""

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
    """One block of a text.

    Example:
        Block(kind="heading", span=(0, 9), level=2, info="Weather", cells=())     # from "## Weather"
    """

    kind: str
    """heading, quote, bullet, number, fence, rule, table, or row of a table (its header row too)."""
    span: Span
    level: int
    """Of a heading 1 to 6; of quotes, bullets and numbers how deep they are nested, from 1."""
    info: str
    """Text of a heading, language of a fence."""
    cells: tuple[str, ...]
    """Of a row."""


@lru_cache(maxsize=64)
def blocks(text: str) -> tuple[MarkdownBlock, ...]:
    """The blocks of a text in the order in which they begin; a block inside another one is listed too."""
    return tuple(_blocks(text, _parser().parse(text)))


def blocks_of(text: str, kind: str) -> list[MarkdownBlock]:
    """The blocks of one kind."""
    return [block for block in blocks(text) if block.kind == kind]


def spans_of(text: str, kind: str) -> list[Span]:
    """Spans of the blocks of one kind."""
    return [block.span for block in blocks_of(text, kind)]


def fenced_content(text: str, fence: MarkdownBlock) -> Span:
    """Span of what stands between the marks of a code fence."""
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
    for at, token in enumerate(tokens):
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
                info=tokens[at + 1].content if kind == "heading" else token.info.strip() if kind == "fence" else "",
                cells=_cells(tokens, at) if kind == "row" else (),
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
    """The parser drops cells past the header's and adds missing ones, so this is how a table is shown."""
    end = next(at for at in range(row, len(tokens)) if tokens[at].type == "tr_close")
    return tuple(token.content for token in tokens[row:end] if token.type == "inline")


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # only when a structure is asked for

    return MarkdownIt("commonmark").enable("table").disable("inline")
