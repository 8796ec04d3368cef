"""Tables: rows, columns and headers of Markdown tables, and of comma-separated lines."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from rewards.count_verdicts import Relation, every, every_count, required
from rewards.markup import MarkdownBlock, blocks
from rewards.text import line_spans
from rewards.verdict import NOT_APPLICABLE, Span, Verdict
from rewards.verifier_args import Count, Ordinal, Phrases


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A Markdown table.

    Example:
        Table(span=(0, 31), header=("Day", "Rain"), rows=((22, 31),))
    """

    span: Span
    header: tuple[str, ...]
    rows: tuple[Span, ...]
    """Without the header."""


def tables(text: str) -> list[Table]:
    """The Markdown tables of a text, each with a header and a line of dashes under it."""
    parts: list[list[MarkdownBlock]] = []
    for block in blocks(text):
        if block.kind == "table":
            parts.append([block])
        elif block.kind == "row":
            parts[-1].append(block)
    return [_table(*part) for part in parts]


def _table(whole: MarkdownBlock, header: MarkdownBlock, *rows: MarkdownBlock) -> Table:
    return Table(span=whole.span, header=header.cells, rows=tuple(row.span for row in rows))


def num_rows(completion: str, *, num_rows: Count, relation: Relation) -> Verdict:
    """There is a table, and every table has so many rows, the header aside. Margin: the worst table's, in rows."""
    found = tables(completion)
    return every_count(completion, _spans(found), [len(table.rows) for table in found], num_rows, relation)


def num_columns(completion: str, *, num_columns: Count, relation: Relation) -> Verdict:
    """There is a table, and every table has so many columns. Margin: the worst table's, in columns."""
    found = tables(completion)
    return every_count(completion, _spans(found), [len(table.header) for table in found], num_columns, relation)


def row_limit(completion: str, *, maximum: Count) -> Verdict:
    """A table, if there is one, has at most so many rows. Margin as for `num_rows`; no table: not applicable."""
    return num_rows(completion, num_rows=maximum, relation="at most") if tables(completion) else NOT_APPLICABLE


def column_limit(completion: str, *, maximum: Count) -> Verdict:
    """A table, if there is one, has at most so many columns. Margin as for `num_columns`; no table: not applicable."""
    return num_columns(completion, num_columns=maximum, relation="at most") if tables(completion) else NOT_APPLICABLE


def header(completion: str, *, columns: Phrases) -> Verdict:
    """The first table's header names these columns in this order, letter case ignored. Margin: minus those wrong."""
    found = tables(completion)
    if not found:
        return required([None] * len(columns))
    names = [name.strip(" *").lower() for name in found[0].header]
    wanted = [column.strip().lower() for column in columns]
    right = sum(name == column for name, column in zip(names, wanted, strict=False))
    margin = float(right - max(len(names), len(wanted)))
    return Verdict(satisfied=margin == 0, margin=margin, evidence=(found[0].span,))


def comma_separated(completion: str, *, num_columns: Ordinal) -> Verdict:
    """Every line holds so many comma-separated values, quotes as in CSV. Margin: minus the lines that do not."""
    lines = line_spans(completion)
    return every(completion, lines, [span for span in lines if _num_values(completion[slice(*span)]) != num_columns])


def _num_values(line: str) -> int:
    try:
        return len(next(csv.reader([line], strict=True)))
    except csv.Error:  # an unclosed quote, or a value longer than the reader takes
        return 0


def _spans(found: Sequence[Table]) -> list[Span]:
    return [table.span for table in found]


VERIFIERS = {
    "table:column_limit": column_limit,
    "table:comma_separated": comma_separated,
    "table:header": header,
    "table:num_columns": num_columns,
    "table:num_rows": num_rows,
    "table:row_limit": row_limit,
}
