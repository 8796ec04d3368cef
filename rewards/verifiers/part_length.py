"""Length of the parts: how long each sentence, paragraph, line, item or heading is."""

from collections.abc import Sequence

from rewards.count_verdicts import Relation, every, every_count
from rewards.markup import spans_of
from rewards.text import TERM, WORD, line_spans, paragraph_spans, sentence_spans, term_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count


def words_in(text: str, parts: Sequence[Span]) -> list[int]:
    """Number of words in each part."""
    return [sum(1 for _ in WORD.finditer(text, start, end)) for start, end in parts]


def words_per_sentence(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Every sentence has so many words. Margin: the worst sentence's, in words."""
    sentences = sentence_spans(completion)
    return every_count(completion, sentences, words_in(completion, sentences), num_words, relation)


def words_per_paragraph(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Every paragraph has so many words. Margin: the worst paragraph's, in words."""
    paragraphs = paragraph_spans(completion)
    return every_count(completion, paragraphs, words_in(completion, paragraphs), num_words, relation)


def words_per_line(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Every line that is not blank has so many words. Margin: the worst line's, in words."""
    lines = line_spans(completion)
    return every_count(completion, lines, words_in(completion, lines), num_words, relation)


def words_per_item(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Every item of a list has so many words, its number not counted. Margin: the worst item's, in words."""
    numbered = set(spans_of(completion, "number"))
    items = sorted(numbered.union(spans_of(completion, "bullet")))
    counts = [count - (item in numbered) for item, count in zip(items, words_in(completion, items), strict=True)]
    return every_count(completion, items, counts, num_words, relation)


def words_per_heading(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Every Markdown heading has so many words. Margin: the worst heading's, in words."""
    headings = spans_of(completion, "heading")
    return every_count(completion, headings, words_in(completion, headings), num_words, relation)


def sentences_per_paragraph(completion: str, *, num_sentences: Count, relation: Relation) -> Verdict:
    """Every paragraph has so many sentences. Margin: the worst paragraph's, in sentences."""
    paragraphs = paragraph_spans(completion)
    counts = [len(sentence_spans(completion[start:end])) for start, end in paragraphs]
    return every_count(completion, paragraphs, counts, num_sentences, relation)


def letters_per_word(completion: str, *, num_letters: Count, relation: Relation) -> Verdict:
    """Every word as written has so many letters or digits. Margin: the worst word's, in letters."""
    counts = [sum(map(str.isalnum, match[0])) for match in TERM.finditer(completion)]
    return every_count(completion, term_spans(completion), counts, num_letters, relation)


def growing_sentences(completion: str) -> Verdict:
    """Every sentence has more words than the one before; there are at least two. Margin: minus those that do not."""
    sentences = sentence_spans(completion)
    counts = words_in(completion, sentences)
    shrinking = [sentences[at] for at in range(1, len(sentences)) if counts[at] <= counts[at - 1]]
    return every(completion, sentences[1:], shrinking)


VERIFIERS = {
    "length:growing_sentences": growing_sentences,
    "length:letters_per_word": letters_per_word,
    "length:sentences_per_paragraph": sentences_per_paragraph,
    "length:words_per_heading": words_per_heading,
    "length:words_per_item": words_per_item,
    "length:words_per_line": words_per_line,
    "length:words_per_paragraph": words_per_paragraph,
    "length:words_per_sentence": words_per_sentence,
}
