"""Copying verifiers: text that must be copied word for word, or must not be."""

from rewards.count_verdicts import Relation, count_verdict, forbidden_verdict, position_verdict
from rewards.text import line_spans, word_runs, word_spans
from rewards.verdict import NOT_APPLICABLE, Span, Verdict
from rewards.verifier_args import Count, Ordinal, Phrase


def exact_spans(text: str, piece: str) -> list[Span]:
    """Return the spans where the piece occurs in the text, letter for letter, without overlap."""
    spans = []
    position = text.find(piece)
    while position >= 0:
        spans.append((position, position + len(piece)))
        position = text.find(piece, position + len(piece))
    return spans


def copied_text(completion: str, *, text: Phrase, num_copies: Count, relation: Relation) -> Verdict:
    """Check how often the text occurs, letter for letter. Margin in copies."""
    return count_verdict(exact_spans(completion, text), num_copies, relation)


def prompt_line(completion: str, *, prompt: str, nth_line: Ordinal) -> Verdict:
    """Check that the nth line of the prompt that is not blank is copied, letter for letter. Margin 0 or -1.

    Not applicable to a prompt without such a line.
    """
    lines = line_spans(prompt)
    if nth_line > len(lines):
        return NOT_APPLICABLE
    return _copied(completion, prompt[slice(*lines[nth_line - 1])])


def prompt_words(completion: str, *, prompt: str, first: Ordinal, last: Ordinal) -> Verdict:
    """Check that the prompt's words `first` to `last` are copied with all between. Margin 0 or -1.

    Not applicable to a prompt without these words.
    """
    words = word_spans(prompt)
    if last > len(words):
        return NOT_APPLICABLE
    return _copied(completion, prompt[words[first - 1][0] : words[last - 1][1]])


def no_prompt_run(completion: str, *, prompt: str, num_words: Ordinal) -> Verdict:
    """Check that no run of `num_words` words is copied from the prompt, letter case ignored.

    Margin: minus the copied runs.
    """
    prompt_runs = {words for words, _ in _runs(prompt, num_words)}
    return forbidden_verdict([span for words, span in _runs(completion, num_words) if words in prompt_runs])


def _copied(completion: str, piece: str) -> Verdict:
    spans = exact_spans(completion, piece)
    return position_verdict(bool(spans), spans[0] if spans else None)


def _runs(text: str, size: int) -> list[tuple[tuple[str, ...], Span]]:
    spans = word_spans(text)
    words = [text[start:end].lower() for start, end in spans]
    return [
        (run, (first[0], last[1]))
        for run, first, last in zip(word_runs(words, size), spans, spans[size - 1 :], strict=False)
    ]


VERIFIERS = {
    "copying:copied_text": copied_text,
    "copying:no_prompt_run": no_prompt_run,
    "copying:prompt_line": prompt_line,
    "copying:prompt_words": prompt_words,
}
