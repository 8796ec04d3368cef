"""Cell and heading verifiers: the words of every table cell or every Markdown heading."""

import re
from collections.abc import Sequence

from rewards.count_verdicts import Relation, each_part_count_verdict, each_part_verdict
from rewards.markup import block_spans
from rewards.text import DOTTED, strip_span
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Character, Count
from rewards.verifiers.part_length import words_in
from rewards.verifiers.punctuation import ends_with_mark
from rewards.verifiers.table import tables

CELL = re.compile(r"(?:\\.|[^|\n\\])+")
"""The text between two bars of a table row; a bar after a backslash does not divide cells."""


def cell_spans(text: str) -> list[Span]:
    """Return the spans of the cells of all Markdown tables that are not blank, headers excluded."""
    rows = [row for table in tables(text) for row in table.rows]
    cells = [strip_span(text, match.span()) for start, end in rows for match in CELL.finditer(text, start, end)]
    return [(start, end) for start, end in cells if start < end]


def words_per_cell(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Check the number of words in every cell of a table, headers excluded. Margin: the worst cell's, in words."""
    cells = cell_spans(completion)
    return each_part_count_verdict(completion, cells, words_in(completion, cells), num_words, relation)


def cell_mark(completion: str, *, mark: Character) -> Verdict:
    """Check that every cell of a table ends with the mark, headers excluded. Margin: minus the cells that do not."""
    cells = cell_spans(completion)
    wrong = [(end - 1, end) for start, end in cells if not ends_with_mark(completion[start:end], mark=mark).satisfied]
    return each_part_verdict(completion, cells, wrong)


def table_title_case(completion: str) -> Verdict:
    """Check that every word in a table's cells starts with a capital or a digit. Margin: minus the others."""
    return _title_case(completion, cell_spans(completion))


def heading_title_case(completion: str) -> Verdict:
    """Check that every word of every heading starts with a capital or a digit. Margin: minus the others."""
    return _title_case(completion, block_spans(completion, "heading"))


def _title_case(completion: str, parts: Sequence[Span]) -> Verdict:
    words = [match.span() for start, end in parts for match in DOTTED.finditer(completion, start, end)]
    words = [span for span in words if completion[span[0]].isalpha()]
    return each_part_verdict(completion, words, [span for span in words if completion[span[0]].islower()])


VERIFIERS = {
    "change_case:heading_title_case": heading_title_case,
    "change_case:table_title_case": table_title_case,
    "length:words_per_cell": words_per_cell,
    "punctuation:cell_mark": cell_mark,
}
