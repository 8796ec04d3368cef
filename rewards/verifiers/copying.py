"""Copying: text that must be copied word for word, or must not be."""

from rewards.count_verdicts import Relation, at_place, counted, forbidden
from rewards.text import line_spans, word_spans
from rewards.verdict import NOT_APPLICABLE, Span, Verdict
from rewards.verifier_args import Count, Ordinal, Phrase


def exact_places(text: str, piece: str) -> list[Span]:
    """Where the piece stands in the text, letter for letter, without overlap."""
    places = []
    at = text.find(piece)
    while at >= 0:
        places.append((at, at + len(piece)))
        at = text.find(piece, at + len(piece))
    return places


def copied_text(completion: str, *, text: Phrase, num_copies: Count, relation: Relation) -> Verdict:
    """The text stands there so many times, letter for letter. Margin in copies."""
    return counted(exact_places(completion, text), num_copies, relation)


def prompt_line(completion: str, *, prompt: str, nth_line: Ordinal) -> Verdict:
    """The nth line of the prompt that is not blank is copied, letter for letter; a prompt without it asks nothing."""
    lines = line_spans(prompt)
    if nth_line > len(lines):
        return NOT_APPLICABLE
    return _copied(completion, prompt[slice(*lines[nth_line - 1])])


def prompt_words(completion: str, *, prompt: str, first: Ordinal, last: Ordinal) -> Verdict:
    """The prompt's words `first` to `last` are copied with all between; a prompt without them asks nothing."""
    words = word_spans(prompt)
    if last > len(words):
        return NOT_APPLICABLE
    return _copied(completion, prompt[words[first - 1][0] : words[last - 1][1]])


def no_prompt_run(completion: str, *, prompt: str, num_words: Ordinal) -> Verdict:
    """No run of so many words is copied from the prompt, letter case ignored. Margin: minus the runs copied."""
    given = {words for words, _ in _runs(prompt, num_words)}
    return forbidden([span for words, span in _runs(completion, num_words) if words in given])


def _copied(completion: str, piece: str) -> Verdict:
    places = exact_places(completion, piece)
    return at_place(bool(places), places[0] if places else None)


def _runs(text: str, size: int) -> list[tuple[tuple[str, ...], Span]]:
    spans = word_spans(text)
    words = [text[start:end].lower() for start, end in spans]
    starts = range(len(words) - size + 1)
    return [(tuple(words[at : at + size]), (spans[at][0], spans[at + size - 1][1])) for at in starts]


VERIFIERS = {
    "copying:copied_text": copied_text,
    "copying:no_prompt_run": no_prompt_run,
    "copying:prompt_line": prompt_line,
    "copying:prompt_words": prompt_words,
}
