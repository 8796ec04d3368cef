"""Punctuation verifiers: marks that must or must not occur, and where."""

import unicodedata

from rewards.count_verdicts import Relation, count_verdict, each_part_verdict, forbidden_verdict, position_verdict
from rewards.semantics import Semantics
from rewards.text import character_spans, enclosed_spans, has_word, sentence_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Character, Count

CLOSERS = "\"'*_)]}\u201d\u2019\u00bb\u300d\u300f\uff09"
"""Marks that may follow the mark that ends a sentence."""
COMMAS = (
    ",\u055d\u060c\u07f8\u1363\u1802\u1808\u201a\u2e32\u2e34\u2e41\u2e49\u2e4c\u3001\ua4fe\ua60d\ua6f5"
    "\ufe10\ufe11\ufe50\ufe51\uff0c\uff64"
)
"""Every character that Unicode calls a comma, and the low quotation mark that looks like one."""
QUESTION_MARKS = "?\uff1f\u061f\u037e\ufe56"
PAIRS = {"(": ")", "[": "]", "{": "}", "\u201c": "\u201d", "\u00ab": "\u00bb"}


def mark_spans(text: str, marks: str) -> list[Span]:
    """Return the spans of any of the marks in the text."""
    return character_spans(text, lambda character: character in marks)


def no_comma(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that no comma occurs. Margin: minus the commas. (IFEval)

    reward: the commas of all scripts. eval: the Latin one.
    """
    return forbidden_verdict(mark_spans(completion, "," if semantics == "eval" else COMMAS))


def exclude_mark(completion: str, *, mark: Character) -> Verdict:
    """Check that the mark does not occur. Margin: minus its occurrences."""
    return forbidden_verdict(mark_spans(completion, mark))


def mark_frequency(completion: str, *, mark: Character, frequency: Count, relation: Relation) -> Verdict:
    """Check how often the mark occurs. Margin in marks."""
    return count_verdict(mark_spans(completion, mark), frequency, relation)


def ends_with_mark(completion: str, *, mark: Character) -> Verdict:
    """Check that the text ends with the mark, white space and closing quotes and brackets aside. Margin 0 or -1."""
    end = len(completion.rstrip())
    end = end if completion[:end].endswith(mark) else len(completion[:end].rstrip(CLOSERS)) or end
    return position_verdict(completion[:end].endswith(mark), (end - 1, end) if end else None)


def sentence_mark(completion: str, *, mark: Character) -> Verdict:
    """Check that every sentence ends with the mark, closing quotes and brackets ignored.

    Margin: minus the sentences that do not.
    """
    ends = [start + max(1, len(completion[start:end].rstrip(CLOSERS))) for start, end in sentence_spans(completion)]
    last = [(end - 1, end) for end in ends]
    return each_part_verdict(completion, last, [span for span in last if completion[span[0]] != mark])


def only_marks(completion: str, *, marks: str) -> Verdict:
    """Check that no punctuation occurs but the marks listed, which may be none. Margin: minus the other marks."""
    other_marks = {mark for mark in set(completion) - set(marks) if unicodedata.category(mark).startswith("P")}
    return forbidden_verdict(mark_spans(completion, "".join(other_marks)))


def balanced(completion: str) -> Verdict:
    """Check that every bracket and every curly or angled quotation mark is paired. Margin: minus the unpaired ones."""
    open_marks: list[int] = []
    unpaired: list[int] = []
    for index, character in enumerate(completion):
        if character in PAIRS:
            open_marks.append(index)
        elif character in PAIRS.values():
            matches = open_marks and PAIRS[completion[open_marks[-1]]] == character
            unpaired.append(index) if not matches else open_marks.pop()
    return forbidden_verdict([(index, index + 1) for index in sorted(unpaired + open_marks)])


def parentheses(completion: str, *, num_parentheses: Count, relation: Relation) -> Verdict:
    """Check the number of remarks in round brackets, each on one line. Margin in remarks."""
    return count_verdict(_non_blank_spans(completion, "(", ")"), num_parentheses, relation)


def quotations(completion: str, *, num_quotations: Count, relation: Relation) -> Verdict:
    """Check the number of quotations in double quotation marks, each on one line. Margin in quotations."""
    spans = _non_blank_spans(completion, '"', '"') + _non_blank_spans(completion, "\u201c", "\u201d")
    return count_verdict(sorted(spans), num_quotations, relation)


def questions(completion: str, *, num_questions: Count, relation: Relation) -> Verdict:
    """Check the number of sentences that end with a question mark. Margin in sentences."""
    question_spans = [
        span
        for span in sentence_spans(completion)
        if completion[slice(*span)].rstrip(CLOSERS).endswith(tuple(QUESTION_MARKS))
    ]
    return count_verdict(question_spans, num_questions, relation)


def _non_blank_spans(text: str, opening: str, closing: str) -> list[Span]:
    spans = enclosed_spans(text, opening, closing)
    return [(start, end) for start, end in spans if has_word(text[start + 1 : end - 1])]


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
