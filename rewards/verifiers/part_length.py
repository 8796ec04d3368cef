"""Part-length verifiers: the length of each sentence, paragraph, line, list item, heading or word."""

from collections.abc import Sequence

from rewards.count_verdicts import Relation, each_part_count_verdict, each_part_verdict
from rewards.markup import block_spans
from rewards.text import TERM, WORD, line_spans, paragraph_spans, sentence_spans, term_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count


def words_in(text: str, parts: Sequence[Span]) -> list[int]:
    """Return the number of words in each part."""
    return [sum(1 for _ in WORD.finditer(text, start, end)) for start, end in parts]


def words_per_sentence(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Check the number of words in every sentence. Margin: the worst sentence's, in words."""
    sentences = sentence_spans(completion)
    return each_part_count_verdict(completion, sentences, words_in(completion, sentences), num_words, relation)


def words_per_paragraph(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Check the number of words in every paragraph. Margin: the worst paragraph's, in words."""
    paragraphs = paragraph_spans(completion)
    return each_part_count_verdict(completion, paragraphs, words_in(completion, paragraphs), num_words, relation)


def words_per_line(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Check the number of words in every line that is not blank. Margin: the worst line's, in words."""
    lines = line_spans(completion)
    return each_part_count_verdict(completion, lines, words_in(completion, lines), num_words, relation)


def words_per_item(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Check the number of words in every list item, its number not counted. Margin: the worst item's, in words."""
    numbered = set(block_spans(completion, "number"))
    items = sorted(numbered.union(block_spans(completion, "bullet")))
    counts = [count - (item in numbered) for item, count in zip(items, words_in(completion, items), strict=True)]
    return each_part_count_verdict(completion, items, counts, num_words, relation)


def words_per_heading(completion: str, *, num_words: Count, relation: Relation) -> Verdict:
    """Check the number of words in every Markdown heading. Margin: the worst heading's, in words."""
    headings = block_spans(completion, "heading")
    return each_part_count_verdict(completion, headings, words_in(completion, headings), num_words, relation)


def sentences_per_paragraph(completion: str, *, num_sentences: Count, relation: Relation) -> Verdict:
    """Check the number of sentences in every paragraph. Margin: the worst paragraph's, in sentences."""
    paragraphs = paragraph_spans(completion)
    counts = [len(sentence_spans(completion[start:end])) for start, end in paragraphs]
    return each_part_count_verdict(completion, paragraphs, counts, num_sentences, relation)


def letters_per_word(completion: str, *, num_letters: Count, relation: Relation) -> Verdict:
    """Check the number of letters and digits in every word as written. Margin: the worst word's, in letters."""
    counts = [sum(map(str.isalnum, match[0])) for match in TERM.finditer(completion)]
    return each_part_count_verdict(completion, term_spans(completion), counts, num_letters, relation)


def growing_sentences(completion: str) -> Verdict:
    """Check that two or more sentences each have more words than the one before. Margin: minus those that do not."""
    sentences = sentence_spans(completion)
    counts = words_in(completion, sentences)
    shrinking = [sentences[index] for index in range(1, len(sentences)) if counts[index] <= counts[index - 1]]
    return each_part_verdict(completion, sentences[1:], shrinking)


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
