"""IF-RLVR's rules about words and letters (arXiv 2507.02833, the training constraints), by open-instruct's ids."""

import re
import string
from collections.abc import Iterable, Sequence
from itertools import pairwise

from rewards.count_verdicts import (
    Relation,
    count_verdict,
    each_part_verdict,
    forbidden_verdict,
    position_verdict,
    relation_margin,
    whole_text_verdict,
)
from rewards.folding import plain
from rewards.phrases import same_word
from rewards.semantics import Semantics
from rewards.text import TERM, published_sentence_spans, sentence_spans, term_spans, word_spans
from rewards.tokens import token_spans, tokens
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count, Ordinal, Phrase
from rewards.verifiers.ifbench_words import TOKEN, spans_of
from rewards.verifiers.keywords import frequency
from rewards.verifiers.letters import palindromes
from rewards.verifiers.start_end import first_word as first_term
from rewards.verifiers.start_end import last_word as last_term
from rewards.verifiers.start_end import same_first_and_last_word

NO_WORD = re.compile(r"[^\w\s]")
LOWERCASE_WORD = re.compile(r"\b[a-z]+\b")


def word_once(completion: str, *, keyword: Phrase, semantics: Semantics) -> Verdict:
    """Check that the keyword occurs once. Margin: minus the missing or extra occurrences.

    reward: as a word. eval: inside longer words too.
    """
    return count_verdict(spans_of(completion, keyword, semantics), 1, "exactly")


def count_increment_word(completion: str, *, keyword1: Phrase, keyword2: Phrase, semantics: Semantics) -> Verdict:
    """Check that the first keyword occurs once and the second twice. Margin: minus the occurrences off.

    reward: as words. eval: inside longer words too.
    """
    once, twice = (spans_of(completion, keyword, semantics) for keyword in (keyword1, keyword2))
    margin = -float(abs(len(once) - 1) + abs(len(twice) - 2))
    evidence = (*once, *twice) if margin == 0 else (*once[1:], *twice[2:])
    return Verdict(satisfied=margin == 0, margin=margin, evidence=tuple(dict.fromkeys(sorted(evidence))))


def exclude_word_harder(completion: str, *, keyword: Phrase, semantics: Semantics) -> Verdict:
    """Check that the word does not occur. Margin: minus its occurrences.

    reward: as a word. eval: between two spaces, letter case as given.
    """
    if semantics == "reward":
        return forbidden_verdict(spans_of(completion, keyword, semantics))
    return forbidden_verdict([match.span() for match in re.finditer(re.escape(f" {keyword} "), completion)])


def no_adjacent_consecutive(completion: str) -> Verdict:
    """Check that no word starts with the letter after the first one of the word before. Margin: minus those that do."""
    words = [(match.span(), match[0][0].lower()) for match in TOKEN.finditer(completion)]
    pairs = pairwise((span, ord(letter) if len(letter) == 1 else -1) for span, letter in words)
    return forbidden_verdict([span for (_, before), (span, after) in pairs if after - before == 1 and before >= 0])


def palindrome(completion: str, *, semantics: Semantics) -> Verdict:
    """Check for a palindrome. Margin in palindromes.

    reward: three letters or more, letter case ignored. eval: any run without white space, such as "a" or "11".
    """
    if semantics == "reward":
        return palindromes(completion, num_palindromes=1, relation="at least")
    spans = [match.span() for match in TOKEN.finditer(completion) if match[0] == match[0][::-1]]
    return count_verdict(spans, 1, "at least")


def keyword_specific_position(
    completion: str, *, keyword: Phrase, n: Ordinal, m: Ordinal, semantics: Semantics
) -> Verdict:
    """Check that the keyword is word `m` of sentence `n`. Margin 0 or -1.

    reward: words as written, letter case ignored. eval: NLTK's tokens, marks too, letter case as given.
    """
    sentences = _sentences(completion, semantics)
    if n > len(sentences):
        return position_verdict(False, None)
    start, end = sentences[n - 1]
    sentence = completion[start:end]
    words = _words(sentence, semantics)
    if m > len(words):
        return position_verdict(False, sentences[n - 1])
    word = sentence[slice(*words[m - 1])]
    fits = word == keyword if semantics == "eval" else same_word(word, keyword)
    return position_verdict(fits, (start + words[m - 1][0], start + words[m - 1][1]))


def start_end(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that the text ends with the word that it starts with, and no mark after it. Margin 0 or -1.

    reward: words as written. eval: NLTK's tokens, so that two equal marks will do.
    """
    words = _words(completion, semantics)
    if len(words) < 2 or words[-1][1] < len(completion.rstrip()):
        return position_verdict(False, words[-1] if words else None)
    if semantics == "reward":
        return same_first_and_last_word(completion)
    (first, _), *_, (last, span) = tokens(completion)
    return position_verdict(first.lower() == last.lower(), span)


def first_word_answer(completion: str, *, first_word: Phrase, semantics: Semantics) -> Verdict:
    """Check that the first word is this one, letter case ignored. Margin 0 or -1.

    reward: the word as written. eval: all up to white space, marks too.
    """
    if semantics == "reward":
        return first_term(completion, word=first_word)
    span = next((match.span() for match in TOKEN.finditer(completion)), None)
    return position_verdict(span is not None and completion[slice(*span)].lower() == first_word.lower(), span)


def last_word_answer(completion: str, *, last_word: Phrase, semantics: Semantics) -> Verdict:
    """Check that the last word is this one, letter case ignored. Margin 0 or -1.

    reward: the word as written. eval: all after white space, without its marks.
    """
    if semantics == "reward":
        return last_term(completion, word=last_word)
    span = _last_token(completion, (0, len(completion)))
    bare = NO_WORD.sub("", completion[slice(*span)]) if span else ""
    return position_verdict(span is not None and bare.lower() == last_word.lower(), span)


def first_word_sent(completion: str, *, first_word: Phrase, semantics: Semantics) -> Verdict:
    """Check that each sentence begins with the word, letter case ignored. Margin: minus those that do not.

    reward: the word as written. eval: all up to white space, marks too.
    """
    sentences = _sentences(completion, semantics)
    firsts = [_edge_word(completion, sentence, semantics, index=0) for sentence in sentences]
    wrong = [span for span in firsts if not _is_word(completion[slice(*span)], first_word, semantics)]
    return each_part_verdict(completion, sentences, wrong)


def last_word_sent(completion: str, *, last_word: Phrase, semantics: Semantics) -> Verdict:
    """Check that each sentence ends with the word, letter case ignored. Margin: minus those that do not.

    reward: the word as written. eval: all after white space, without its marks.
    """
    sentences = _sentences(completion, semantics)
    lasts = [_edge_word(completion, sentence, semantics, index=-1) for sentence in sentences]
    texts = [completion[slice(*span)] for span in lasts]
    bare = [NO_WORD.sub("", text) for text in texts] if semantics == "eval" else texts
    wrong = [span for span, text in zip(lasts, bare, strict=True) if not _is_word(text, last_word, semantics)]
    return each_part_verdict(completion, sentences, wrong)


def lowercase_counting(completion: str, *, N: Count) -> Verdict:
    """Check for at most `N` words of small Latin letters. Margin in words."""
    return count_verdict([match.span() for match in LOWERCASE_WORD.finditer(completion)], N, "at most")


def letter_counting(completion: str, *, N: Count, relation: Relation, semantics: Semantics) -> Verdict:
    """Check the number of letters. Margin in letters.

    reward: of all scripts. eval: from a to z.
    """
    is_letter = str.isalpha if semantics == "reward" else set(string.ascii_letters).__contains__
    return whole_text_verdict(completion, relation_margin(sum(map(is_letter, completion)), N, relation))


def count_unique(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that no word occurs twice. Margin: minus the repeated ones.

    reward: words as written, letter case ignored. eval: NLTK's tokens as given, marks too.
    """
    if semantics == "eval":
        return forbidden_verdict(_repeated(tokens(completion)))
    return forbidden_verdict(_repeated((plain(completion[slice(*span)]), span) for span in term_spans(completion)))


def counting_composition(completion: str, *, n_sent: Count, n_words: Count, semantics: Semantics) -> Verdict:
    """Check for three parts divided by `***`, each of `n_sent` sentences of `n_words` words.

    Margin: minus the missing, extra and wrong parts.
    reward: words as `rewards.text` finds them. eval: NLTK's tokens, marks too.
    """
    parts = re.split(r"\s?\*\*\*\s?", completion)
    wrong = sum(not _is_composed(part, n_sent, n_words, semantics) for part in parts)
    return whole_text_verdict(completion, -abs(len(parts) - 3) - wrong)


def _is_composed(part: str, num_sentences: int, num_words: int, semantics: Semantics) -> bool:
    sentences = [part[start:end] for start, end in _sentences(part, semantics)]
    counted = word_spans if semantics == "reward" else token_spans
    return len(sentences) == num_sentences and all(len(counted(sentence)) == num_words for sentence in sentences)


def _sentences(text: str, semantics: Semantics) -> Sequence[Span]:
    return published_sentence_spans(text) if semantics == "eval" else sentence_spans(text)


def _words(text: str, semantics: Semantics) -> Sequence[Span]:
    return token_spans(text) if semantics == "eval" else term_spans(text)


def _edge_word(text: str, sentence: Span, semantics: Semantics, *, index: int) -> Span:
    """Return the first or last word of a sentence, or its first character where it has none."""
    start, end = sentence
    if semantics == "eval" and index < 0:
        return _last_token(text, sentence) or sentence
    if semantics == "eval":
        match = TOKEN.search(text, start, end)
        return match.span() if match else sentence
    words = [match.span() for match in TERM.finditer(text, start, end)]
    return words[index] if words else (start, start + 1)


def _last_token(text: str, span: Span) -> Span | None:
    words = text[slice(*span)].split(None)[-1:]
    start = text.rfind(words[0], *span) if words else -1
    return (start, start + len(words[0])) if words else None


def _is_word(text: str, word: str, semantics: Semantics) -> bool:
    return text.lower() == word.lower() if semantics == "eval" else same_word(text, word)


def _repeated(words: Iterable[tuple[str, Span]]) -> list[Span]:
    seen: set[str] = set()
    repeated = []
    for word, span in words:
        if word in seen:
            repeated.append(span)
        seen.add(word)
    return repeated


VERIFIERS = {
    "count:count_increment_word": count_increment_word,
    "count:count_unique": count_unique,
    "count:counting_composition": counting_composition,
    "count:lowercase_counting": lowercase_counting,
    "first_word:first_word_answer": first_word_answer,
    "first_word:first_word_sent": first_word_sent,
    "keywords:exclude_word_harder": exclude_word_harder,
    "keywords:keyword_specific_position": keyword_specific_position,
    "keywords:no_adjacent_consecutive": no_adjacent_consecutive,
    "keywords:palindrome": palindrome,
    "keywords:start_end": start_end,
    "keywords:word_count_different_numbers": frequency,
    "keywords:word_once": word_once,
    "last_word:last_word_answer": last_word_answer,
    "last_word:last_word_sent": last_word_sent,
    "letters:letter_counting": letter_counting,
}
