"""Punctuation: marks that must or must not occur, and where."""

import unicodedata

from rewards.count_verdicts import Relation, at_place, counted, every, forbidden
from rewards.text import enclosed_spans, sentence_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Character, Count

CLOSERS = "\"'*_)]}\u201d\u2019\u00bb"
"""Marks that may follow the mark that ends a sentence."""
PAIRS = {"(": ")", "[": "]", "{": "}", "\u201c": "\u201d", "\u00ab": "\u00bb"}


def mark_spans(text: str, marks: str) -> list[Span]:
    """Where any of the marks stands in the text."""
    return [(at, at + 1) for at, character in enumerate(text) if character in marks]


def no_comma(completion: str) -> Verdict:
    """No comma. Margin: minus the commas. (IFEval)"""
    return forbidden(mark_spans(completion, ","))


def exclude_mark(completion: str, *, mark: Character) -> Verdict:
    """The mark does not occur. Margin: minus its occurrences."""
    return forbidden(mark_spans(completion, mark))


def mark_frequency(completion: str, *, mark: Character, frequency: Count, relation: Relation) -> Verdict:
    """The mark occurs so many times. Margin in marks."""
    return counted(mark_spans(completion, mark), frequency, relation)


def ends_with_mark(completion: str, *, mark: Character) -> Verdict:
    """The last character that is no white space is the mark. Margin 0 or -1."""
    end = len(completion.rstrip())
    return at_place(completion[:end].endswith(mark), (end - 1, end) if end else None)


def sentence_mark(completion: str, *, mark: Character) -> Verdict:
    """Every sentence ends with the mark, closing quotes and brackets aside. Margin: minus the sentences that do not."""
    ends = [start + max(1, len(completion[start:end].rstrip(CLOSERS))) for start, end in sentence_spans(completion)]
    last = [(end - 1, end) for end in ends]
    return every(completion, last, [span for span in last if completion[span[0]] != mark])


def only_marks(completion: str, *, marks: str) -> Verdict:
    """No punctuation but the marks listed, which may be none. Margin: minus the other marks."""
    others = {mark for mark in set(completion) - set(marks) if unicodedata.category(mark).startswith("P")}
    return forbidden(mark_spans(completion, "".join(others)))


def balanced(completion: str) -> Verdict:
    """Every bracket and every curly or angled quotation mark has its partner. Margin: minus those without."""
    open_marks: list[int] = []
    lonely: list[int] = []
    for at, character in enumerate(completion):
        if character in PAIRS:
            open_marks.append(at)
        elif character in PAIRS.values():
            matches = open_marks and PAIRS[completion[open_marks[-1]]] == character
            lonely.append(at) if not matches else open_marks.pop()
    return forbidden([(at, at + 1) for at in sorted(lonely + open_marks)])


def parentheses(completion: str, *, num_parentheses: Count, relation: Relation) -> Verdict:
    """So many remarks in round brackets, each on one line. Margin in remarks."""
    return counted(_not_hollow(completion, "(", ")"), num_parentheses, relation)


def quotations(completion: str, *, num_quotations: Count, relation: Relation) -> Verdict:
    """So many quotations between straight or curly double quotation marks, each on one line. Margin in quotations."""
    found = _not_hollow(completion, '"', '"') + _not_hollow(completion, "\u201c", "\u201d")
    return counted(sorted(found), num_quotations, relation)


def questions(completion: str, *, num_questions: Count, relation: Relation) -> Verdict:
    """So many sentences end with a question mark. Margin in sentences."""
    asked = [span for span in sentence_spans(completion) if completion[slice(*span)].rstrip(CLOSERS).endswith("?")]
    return counted(asked, num_questions, relation)


def _not_hollow(text: str, opening: str, closing: str) -> list[Span]:
    spans = enclosed_spans(text, opening, closing)
    return [(start, end) for start, end in spans if text[start + 1 : end - 1].strip()]


VERIFIERS = {
    "content:ends_with_mark": ends_with_mark,
    "content:exclude_mark": exclude_mark,
    "punctuation:balanced": balanced,
    "punctuation:mark_frequency": mark_frequency,
    "punctuation:no_comma": no_comma,
    "punctuation:only_marks": only_marks,
    "punctuation:parentheses": parentheses,
    "punctuation:questions": questions,
    "punctuation:quotations": quotations,
    "punctuation:sentence_mark": sentence_mark,
}
