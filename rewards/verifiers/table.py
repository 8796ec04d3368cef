"""Table verifiers: rows, columns and headers of Markdown tables, and of comma-separated lines."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from rewards.count_verdicts import Relation, each_part_count_verdict, each_part_verdict, required_verdict
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
    """The rows without the header."""


def tables(text: str) -> list[Table]:
    """Return the Markdown tables of a text, each with a header and a line of dashes under it."""
    parts: list[list[MarkdownBlock]] = []
    for block in blocks(text):
        if block.kind == "table":
            parts.append([block])
        elif block.kind == "row":
            parts[-1].append(block)
    return [_table(*part) for part in parts]


def _table(table: MarkdownBlock, header: MarkdownBlock, *rows: MarkdownBlock) -> Table:
    return Table(span=table.span, header=header.cells, rows=tuple(row.span for row in rows))


def num_rows(completion: str, *, num_rows: Count, relation: Relation) -> Verdict:
    """Check that there is a table and every table has this number of rows, the header not counted.

    Margin: the worst table's, in rows.
    """
    all_tables = tables(completion)
    return each_part_count_verdict(
        completion, _spans(all_tables), [len(table.rows) for table in all_tables], num_rows, relation
    )


def num_columns(completion: str, *, num_columns: Count, relation: Relation) -> Verdict:
    """Check that there is a table and every table has this number of columns.

    Margin: the worst table's, in columns.
    """
    all_tables = tables(completion)
    return each_part_count_verdict(
        completion, _spans(all_tables), [len(table.header) for table in all_tables], num_columns, relation
    )


def row_limit(completion: str, *, maximum: Count) -> Verdict:
    """Check that no table has more than `maximum` rows. Margin as for `num_rows`; not applicable without a table."""
    return num_rows(completion, num_rows=maximum, relation="at most") if tables(completion) else NOT_APPLICABLE


def column_limit(completion: str, *, maximum: Count) -> Verdict:
    """Check that no table has more than `maximum` columns. Margin as for `num_columns`; not applicable without one."""
    return num_columns(completion, num_columns=maximum, relation="at most") if tables(completion) else NOT_APPLICABLE


def header(completion: str, *, columns: Phrases) -> Verdict:
    """Check that the first table's header names these columns in this order, letter case ignored.

    Margin: minus the wrong columns.
    """
    all_tables = tables(completion)
    if not all_tables:
        return required_verdict([None] * len(columns))
    names = [name.strip(" *").lower() for name in all_tables[0].header]
    expected = [column.strip().lower() for column in columns]
    num_right = sum(name == column for name, column in zip(names, expected, strict=False))
    margin = float(num_right - max(len(names), len(expected)))
    return Verdict(satisfied=margin == 0, margin=margin, evidence=(all_tables[0].span,))


def comma_separated(completion: str, *, num_columns: Ordinal) -> Verdict:
    """Check that every line has this number of comma-separated values, with quotes as in CSV.

    Margin: minus the lines that do not.
    """
    lines = line_spans(completion)
    return each_part_verdict(
        completion, lines, [span for span in lines if _num_values(completion[slice(*span)]) != num_columns]
    )


def _num_values(line: str) -> int:
    try:
        return len(next(csv.reader([line], strict=True)))
    except csv.Error:  # an unclosed quote, or a value longer than the reader takes
        return 0


def _spans(all_tables: Sequence[Table]) -> list[Span]:
    return [table.span for table in all_tables]


VERIFIERS = {
    "table:column_limit": column_limit,
    "table:comma_separated": comma_separated,
    "table:header": header,
    "table:num_columns": num_columns,
    "table:num_rows": num_rows,
    "table:row_limit": row_limit,
}
