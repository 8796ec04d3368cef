"""IFBench's rules that belong to one question each, such as a list of capitals (arXiv 2507.02833), by IFBench's ids."""

import csv
import re
import string
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise

from rewards.count_verdicts import each_part_verdict, position_verdict, whole_text_verdict
from rewards.text import first_span, published_sentence_spans
from rewards.verdict import Span, Verdict
from rewards.verifiers.ifbench_words import EDGES, NO_PUNCTUATION

MULTIPLES = [str(number) for number in range(14, 51, 7)]
NUM_COUNTRIES = 52
"""Fewest lines of a list of Africa's countries."""
_CAPITALS = """
Reykjavik Helsinki Oslo Tallinn Stockholm Riga Moscow Copenhagen Vilnius Minsk Dublin Berlin Amsterdam Warsaw London
Brussels Prague Luxembourg Paris Vienna Bratislava Budapest Vaduz Chisinau Bern Ljubljana Zagreb
"""
CAPITALS = _CAPITALS.split()
"""Europe's capitals north of 45 degrees, from north to south."""
QUESTION = re.compile(r"\n*Question \d+[.|):;]?\s*")
OPTION = re.compile(r"[A-E][.|)]\s*\w", re.IGNORECASE)
NUM_QUESTIONS = 4
NUM_OPTIONS = 5
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
NAPOLEON = (1769, 1821)
"""The years of Napoleon's life."""
SPECIAL = re.compile(r'".*[^\d\w\s].*"')


def multiples(completion: str) -> Verdict:
    """Check that the numbers are the multiples of 7 from 10 to 50, in order. Margin 0 or -1."""
    return whole_text_verdict(completion, -float(re.findall(r"\d+", completion) != MULTIPLES))


def mcq_count_length(completion: str) -> Verdict:
    """Check for four questions, each with five options and longer than the one before. Margin: minus what is wrong."""
    if not completion.startswith("Question"):
        return position_verdict(False, first_span(completion))
    parts = [part.strip() for part in QUESTION.split(completion) if part.strip()]
    read = [_question(part) for part in parts]
    wrong_options = sum(num_options != NUM_OPTIONS for _, num_options in read)
    shorter = sum(after <= before for (before, _), (after, _) in pairwise(read))
    return whole_text_verdict(completion, -abs(len(parts) - NUM_QUESTIONS) - wrong_options - shorter)


def _question(text: str) -> tuple[int, int]:
    """Return the length of a question before its first option, and the number of its options."""
    lines = [line.strip() for line in text.split("\n")]
    options = [index for index, line in enumerate(lines) if OPTION.match(line)]
    return len(" ".join(lines[: options[0] if options else None]).strip()), len(options)


def reverse_newline(completion: str) -> Verdict:
    """Check for 52 lines or more from "Zimbabwe" on, in reverse alphabetical order.

    Margin: minus the lines that are missing, or out of order.
    """
    lines = [(span, line) for span, line in _lines(completion) if line]
    start = next((index for index, (_, line) in enumerate(lines) if "Zimbabwe" in line), len(lines))
    if len(lines) - start < NUM_COUNTRIES:
        return whole_text_verdict(completion, len(lines) - start - NUM_COUNTRIES)
    names = [(span, plain_letters(line)) for span, line in lines[start:]]
    wrong = [span for (_, before), (span, after) in pairwise(names) if after > before]
    return each_part_verdict(completion, [span for span, _ in names], wrong)


def _lines(text: str) -> Iterator[tuple[Span, str]]:
    """Yield each line that is not blank with its span, marks at its ends removed."""
    for match in re.finditer(r"[^\n]+", text):
        yield match.span(), match[0].strip(EDGES)


def plain_letters(text: str) -> str:
    """Return the text in ASCII, accents and all other characters left out."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def word_reverse(completion: str) -> Verdict:
    """Check that the words, read backwards, are one sentence about the bald eagle. Margin 0 or -1."""
    words = completion.lower().translate(NO_PUNCTUATION).split()
    backwards = " ".join(reversed(words))
    one_sentence = len(published_sentence_spans(backwards)) == 1
    return whole_text_verdict(completion, -float("bald eagle" not in backwards or not one_sentence))


def character_reverse(completion: str) -> Verdict:
    """Check that "bald eagle" occurs backwards. Margin 0 or -1."""
    start = completion.lower().find("elgae dlab")
    return position_verdict(start >= 0, (start, start + 10) if start >= 0 else first_span(completion))


def sentence_alphabet(completion: str) -> Verdict:
    """Check for 26 sentences that begin with a to z in order. Margin: minus extra, missing and wrong sentences."""
    spans = published_sentence_spans(completion)
    if len(spans) != len(string.ascii_lowercase):
        return whole_text_verdict(completion, -abs(len(spans) - len(string.ascii_lowercase)))
    pairs = zip(spans, string.ascii_lowercase, strict=True)
    return each_part_verdict(
        completion, spans, [span for span, letter in pairs if completion[span[0]].lower() != letter]
    )


def european_capitals_sort(completion: str) -> Verdict:
    """Check for Europe's capitals north of 45 degrees, by latitude, between commas. Margin: minus the wrong ones."""
    given = [name.strip() for name in plain_letters(completion).split(",") if name.strip()]
    right = sum(name == expected for name, expected in zip(given, CAPITALS, strict=False))
    return whole_text_verdict(completion, right - max(len(given), len(CAPITALS)))


def csv_city(completion: str) -> Verdict:
    """Check for the header ID, Country, City, Year, Count and seven rows of CSV. Margin: minus what is wrong."""
    rows = _rows(completion, ",")
    wrong_header = rows[:1] != [["ID", "Country", "City", "Year", "Count"]]
    return whole_text_verdict(completion, -wrong_header + _table_margin(rows, num_rows=7))


def csv_special_character(completion: str) -> Verdict:
    """Check for 14 rows of CSV on products, one with a quoted field that holds a mark. Margin: minus what is wrong."""
    rows = _rows(completion.replace('"', '"""'), ",")
    wrong_header = not _has_header(completion, ("ProductID", "Category", "Brand", "Price", "Stock"), r",[ \t]*")
    special = next((index for index, row in enumerate(rows[1:]) if any(map(SPECIAL.match, row))), None)
    # IFBench stops at the first row that has such a field: those after it may have any number of fields.
    margin = _table_margin(rows, num_rows=14, last=special)
    return whole_text_verdict(completion, margin - wrong_header - (special is None))


def csv_quotes(completion: str) -> Verdict:
    """Check for a header and three rows about grades between tabs, all fields quoted. Margin: minus what is wrong."""
    rows = _rows(completion.replace('"', '"""'), "\t")
    wrong_header = not _has_header(completion, ("StudentID", "Subject", "Grade", "Semester", "Score"), r"\t *")
    fields = [field.strip() for row in rows for field in row]
    unquoted = sum(not (field.startswith('"') and field.endswith('"')) for field in fields)
    return whole_text_verdict(completion, _table_margin(rows, num_rows=3) - wrong_header - unquoted)


def _rows(text: str, delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter))
    except csv.Error:  # a value longer than the reader takes
        return []


def _table_margin(rows: Sequence[Sequence[str]], *, num_rows: int, last: int | None = None) -> int:
    """Return minus the missing and extra rows and those without five fields, up to row `last`."""
    body = rows[1 : None if last is None else last + 2]
    return -abs(len(rows) - 1 - num_rows) - sum(len(row) != 5 for row in body)


def _has_header(text: str, names: Sequence[str], divider: str) -> bool:
    header = divider.join(f'(?:{name}|"{name}")' for name in names)
    return re.fullmatch(header, text.split("\n")[0].strip()) is not None


def date_format_list(completion: str) -> Verdict:
    """Check for dates of Napoleon's time, YYYY-MM-DD between commas. Margin: minus what is none.

    IFBench lets 29 February pass in every year, and day 00.
    """
    return whole_text_verdict(completion, -sum(not _is_date(item.strip()) for item in completion.strip().split(",")))


def _is_date(text: str) -> bool:
    if not ISO_DATE.fullmatch(text):
        return False
    year, month, day = map(int, text.split("-"))
    if not NAPOLEON[0] <= year <= NAPOLEON[1] or month > 12:
        return False
    longest = 31 if month in (0, 12) else 29 if month == 2 else (date(2001, month + 1, 1) - date(2001, month, 1)).days
    return day <= longest or month == 0


VERIFIERS = {
    "custom:character_reverse": character_reverse,
    "custom:csv_city": csv_city,
    "custom:csv_quotes": csv_quotes,
    "custom:csv_special_character": csv_special_character,
    "custom:date_format_list": date_format_list,
    "custom:european_capitals_sort": european_capitals_sort,
    "custom:mcq_count_length": mcq_count_length,
    "custom:multiples": multiples,
    "custom:reverse_newline": reverse_newline,
    "custom:sentence_alphabet": sentence_alphabet,
    "custom:word_reverse": word_reverse,
}
