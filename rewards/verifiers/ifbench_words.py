"""IFBench's rules about words: how many, which, and what their letters are (arXiv 2507.02833), by IFBench's ids.

Words are what white space divides, without ASCII punctuation, unless a rule says otherwise.
"""

import re
import string
from collections import Counter
from itertools import pairwise

from rewards.count_verdicts import (
    count_verdict,
    each_part_verdict,
    forbidden_verdict,
    position_verdict,
    range_margin,
    required_verdict,
    whole_text_verdict,
)
from rewards.phrases import same_word
from rewards.semantics import Semantics
from rewards.text import has_word, line_spans, lower_words, published_sentence_spans, term_spans, word_spans
from rewards.tokens import token_spans, tokens
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count, Ordinal, Phrase
from rewards.verifiers.content import NUMBER
from rewards.verifiers.keywords import occurrences, published_occurrences
from rewards.verifiers.length import PUBLISHED_WORD

TOKEN = re.compile(r"\S+")
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
EDGES = string.punctuation + " "
PUBLISHED_NUMBER = re.compile(rf"\d(?:[{re.escape(string.punctuation)}]*\d)*")
"""A number once punctuation is deleted: "10-20" is one."""
CONJUNCTIONS = frozenset(("and", "but", "for", "nor", "or", "so", "yet"))
_NAMES = """
Emma Liam Sophia Jackson Olivia Noah Ava Lucas Isabella Mason Mia Ethan Charlotte Alexander Amelia Benjamin Harper Leo
Zoe Daniel Chloe Samuel Lily Matthew Grace Owen Abigail Gabriel Ella Jacob Scarlett Nathan Victoria Elijah Layla
Nicholas Audrey David Hannah Christopher Penelope Thomas Nora Andrew Aria Joseph Claire Ryan Stella Jonathan
"""
NAMES = _NAMES.split()
"""The names that the rule's sentence lists."""
_PRONOUNS = """
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
it its itself they them their theirs themselves this that these those who whom whose which what whoever whomever
whatever whichever anybody anyone anything everybody everyone everything nobody nothing somebody someone something each
either neither both all some any none
"""
PRONOUNS = frozenset(_PRONOUNS.split())
_STOP_WORDS = """
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
itself they them their theirs themselves what which who whom this that these those am is are was were be been being
have has had having do does did doing a an the and but if or because as until while of at by for with about against
between into through during before after above below to from up down in out on off over under again further then once
here there when where why how all any both each few more most other some such no nor not only own same so than too
very s t can will just don should now d ll m o re ve y ain aren couldn didn doesn hadn hasn haven isn ma mightn mustn
needn shan shouldn wasn weren won wouldn
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""NLTK's English stop words that consist of letters alone."""
VOWELS = frozenset("aeiou")
CLUSTER = re.compile(r"[bcdfghjklmnpqrstvwxyz]{2}", re.IGNORECASE)
PRIMES = frozenset(n for n in range(2, 100) if all(n % divisor for divisor in range(2, n)))
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
KEYWORD_COUNTS = (1, 2, 3, 5, 7)


def bare_words(text: str) -> list[tuple[Span, str]]:
    """Return the words that white space divides, with their spans, punctuation deleted; those of it alone left out."""
    words = ((match.span(), match[0].translate(NO_PUNCTUATION)) for match in TOKEN.finditer(text))
    return [(span, word) for span, word in words if word]


def word_count_range(completion: str, *, min_words: Count, max_words: Count, semantics: Semantics) -> Verdict:
    r"""Check for `min_words` to `max_words` words. Margin in words.

    reward: words as `rewards.text` finds them. eval: runs of `\w`.
    """
    count = len(PUBLISHED_WORD.findall(completion) if semantics == "eval" else word_spans(completion))
    return whole_text_verdict(completion, range_margin(count, min_words, max_words))


def unique_word_count(completion: str, *, N: Count, semantics: Semantics) -> Verdict:
    """Check for at least `N` different words, letter case ignored. Margin in words.

    reward: words as `rewards.text` finds them. eval: without the punctuation at their ends, a mark alone is a word.
    """
    words = lower_words(completion)
    if semantics == "eval":
        words = [word.strip(EDGES) for word in completion.lower().split()]
    return whole_text_verdict(completion, len(set(words)) - N)


def stop_words(completion: str, *, percentage: Count) -> Verdict:
    """Check that at most `percentage` % of the words are stop words. Margin in percentage points, -1 without words."""
    words = [match[0].lower() for match in PUBLISHED_WORD.finditer(completion)]
    share = 100 * sum(word in STOP_WORDS for word in words) / len(words) if words else percentage + 1
    return whole_text_verdict(completion, percentage - share)


def conjunctions(completion: str, *, small_n: Count, semantics: Semantics) -> Verdict:
    """Check for at least `small_n` different coordinating conjunctions. Margin in conjunctions.

    reward: different words. eval: different as written, so that "and" and "And" are two.
    """
    first: dict[str, Span] = {}
    for match in TOKEN.finditer(completion):
        word = match[0].strip(EDGES).lower()
        if word in CONJUNCTIONS:
            first.setdefault(match[0] if semantics == "eval" else word, match.span())
    return count_verdict(list(first.values()), small_n, "at least")


def person_names(completion: str, *, N: Count) -> Verdict:
    """Check for at least `N` different names of the rule's list. Margin in names."""
    names = [match for match in PUBLISHED_WORD.finditer(completion) if match[0] in NAMES]
    first = {match[0]: match.span() for match in reversed(names)}
    return count_verdict(sorted(first.values()), N, "at least")


def numbers(completion: str, *, N: Count, semantics: Semantics) -> Verdict:
    """Check for exactly `N` numbers in digits. Margin: minus the extra or missing ones.

    reward: as for `content:numbers`. eval: punctuation is deleted first, so that "10-20" is one number.
    """
    pattern = PUBLISHED_NUMBER if semantics == "eval" else NUMBER
    return count_verdict([match.span() for match in pattern.finditer(completion)], N, "exactly")


def pronouns(completion: str, *, N: Count) -> Verdict:
    """Check for at least `N` pronouns, with words as NLTK cuts them. Margin in pronouns."""
    text = completion.replace("/", " ")
    spans = [(start, end) for start, end in token_spans(text) if text[start:end].lower() in PRONOUNS]
    return count_verdict(spans, N, "at least")


def keywords_multiple(
    completion: str,
    *,
    keyword1: Phrase,
    keyword2: Phrase,
    keyword3: Phrase,
    keyword4: Phrase,
    keyword5: Phrase,
    semantics: Semantics,
) -> Verdict:
    """Check that the keywords occur 1, 2, 3, 5 and 7 times, letter case ignored. Margin: minus those that do not.

    reward: as words. eval: inside longer words too.
    """
    keywords = (keyword1, keyword2, keyword3, keyword4, keyword5)
    found = [spans_of(completion, keyword, semantics) for keyword in keywords]
    right = [len(spans) == count for spans, count in zip(found, KEYWORD_COUNTS, strict=True)]
    spans = [span for spans, fits in zip(found, right, strict=True) if fits is all(right) for span in spans]
    margin = float(sum(right) - len(right))
    return Verdict(satisfied=margin == 0, margin=margin, evidence=tuple(dict.fromkeys(sorted(spans))))


def spans_of(text: str, keyword: str, semantics: Semantics) -> list[Span]:
    """Return the spans of a keyword, as a word or, under `eval`, inside longer words too."""
    return published_occurrences(text, keyword) if semantics == "eval" else occurrences(text, keyword)


def words_japanese(completion: str, *, N: Ordinal) -> Verdict:
    """Check that every `N`th word has a Japanese character, numbers aside. Margin: minus those that have none."""
    nth = [match for index, match in enumerate(TOKEN.finditer(completion), start=1) if index % N == 0]
    words = [(match.span(), match[0].strip(EDGES)) for match in nth]
    return forbidden_verdict([s for s, word in words if word and not word.isdigit() and not JAPANESE.search(word)])


def alphabet(completion: str) -> Verdict:
    """Check that each word starts with the next letter of the alphabet, a after z. Margin: minus those that do not."""
    words = bare_words(completion)
    first = string.ascii_lowercase.find(words[0][1][0].lower()) if words else -1
    if first < 0:
        return position_verdict(False, words[0][0] if words else None)
    expected = (string.ascii_lowercase[(first + index) % 26] for index in range(len(words)))
    wrong = [span for (span, word), letter in zip(words, expected, strict=True) if word[0].lower() != letter]
    return each_part_verdict(completion, [span for span, _ in words], wrong)


def vowel(completion: str) -> Verdict:
    """Check for one paragraph of words with at most three different vowels. Margin: minus the extra ones, or lines."""
    num_vowels = len(VOWELS & set(completion.lower()))
    num_breaks = completion.strip().count("\n")
    return whole_text_verdict(completion, min(3 - num_vowels, -num_breaks))


def consonants(completion: str) -> Verdict:
    """Check that each word has two consonants in a row. Margin: minus the words that do not."""
    words = [match.span() for match in TOKEN.finditer(completion)]
    return each_part_verdict(completion, words, [span for span in words if not CLUSTER.search(completion, *span)])


def palindrome(completion: str, *, semantics: Semantics) -> Verdict:
    """Check for ten palindromes of five characters or more. Margin in words.

    reward: different words of letters. eval: any.
    """
    found = [(span, word.lower()) for span, word in bare_words(completion) if len(word) >= 5]
    found = [(span, word) for span, word in found if word == word[::-1]]
    if semantics == "reward":
        found = [(span, word) for word, span in {word: span for span, word in found if word.isalpha()}.items()]
    return count_verdict([span for span, _ in found], 10, "at least")


def prime_lengths(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that the length of each word is a prime number. Margin: minus the words of other lengths.

    reward: at least one word. eval: a text of marks alone is right, too.
    """
    words = bare_words(completion)
    if semantics == "eval" and not words:
        return whole_text_verdict(completion, 0)
    return each_part_verdict(completion, [s for s, _ in words], [s for s, word in words if len(word) not in PRIMES])


def repeats(completion: str, *, small_n: Count) -> Verdict:
    """Check that no word occurs more than `small_n` times, letter case ignored. Margin: minus what is too often."""
    counts: Counter[str] = Counter()
    extra = []
    for span, word in bare_words(completion):
        counts[word.lower()] += 1
        if counts[word.lower()] > small_n:
            extra.append(span)
    return forbidden_verdict(extra)


def last_first(completion: str) -> Verdict:
    """Check that the last word of each sentence is the first of the next one. Margin: minus those that are not.

    Marks before the first word and after the last are ignored, those between a word and the next are not.
    """
    spans = published_sentence_spans(completion)
    texts = [completion[start:end].lower() for start, end in spans]
    pairs = [(before.rstrip(EDGES).split()[-1:], after.lstrip(EDGES).split()[:1]) for before, after in pairwise(texts)]
    wrong = [span for (last, first), span in zip(pairs, spans[1:], strict=False) if not last or last != first]
    return each_part_verdict(completion, spans, wrong)


def paragraph_last_first(completion: str) -> Verdict:
    """Check that each line ends with the word it starts with. Margin: minus the lines that do not."""
    lines = line_spans(completion)
    words = [completion[start:end].lower().strip(EDGES).split() for start, end in lines]
    wrong = [span for span, line in zip(lines, words, strict=True) if line and line[0] != line[-1]]
    return each_part_verdict(completion, lines, wrong)


def no_consecutive(completion: str) -> Verdict:
    """Check that no two words in a row start with the same letter. Margin: minus the words that do."""
    pairs = pairwise(bare_words(completion))
    return forbidden_verdict([span for (_, before), (span, word) in pairs if before[0].lower() == word[0].lower()])


def keywords_specific_position(completion: str, *, keyword: Phrase, n: Ordinal, m: Ordinal) -> Verdict:
    """Check that the keyword is word `m` of sentence `n`, with words as NLTK cuts them. Margin 0 or -1."""
    sentences = published_sentence_spans(completion)
    sentence = sentences[n - 1] if n <= len(sentences) else None
    words = words_of(completion, sentence) if sentence else []
    span = words[m - 1] if m <= len(words) else None
    return position_verdict(span is not None and same_word(completion[slice(*span)], keyword), span or sentence)


def words_of(text: str, sentence: Span) -> list[Span]:
    """Return the spans of NLTK's tokens of a sentence that hold a letter or digit."""
    start, end = sentence
    tokens = ((start + first, start + last) for first, last in token_spans(text[start:end]))
    return [(first, last) for first, last in tokens if has_word(text[first:last])]


def words_position(completion: str, *, keyword: Phrase, semantics: Semantics) -> Verdict:
    """Check that the keyword is the second word and the last but one. Margin: minus the places where it is not.

    reward: words as written. eval: NLTK's tokens, of which a mark at the end does not count.
    """
    words = term_spans(completion) if semantics == "reward" else token_spans(completion)
    if semantics == "eval" and words and tokens(completion)[-1][0] in string.punctuation:
        words = words[:-1]
    if len(words) < 2:
        return required_verdict([None, None])
    wanted = [words[1], words[-2]]
    wrong = [span for span in wanted if not same_word(completion[slice(*span)], keyword)]
    verdict = required_verdict([None if span in wrong else span for span in wanted])
    evidence = tuple(dict.fromkeys(wrong or verdict.evidence))
    return Verdict(satisfied=verdict.satisfied, margin=verdict.margin, evidence=evidence)


VERIFIERS = {
    "count:conjunctions": conjunctions,
    "count:keywords_multiple": keywords_multiple,
    "count:numbers": numbers,
    "count:person_names": person_names,
    "count:pronouns": pronouns,
    "count:unique_word_count": unique_word_count,
    "count:word_count_range": word_count_range,
    "count:words_japanese": words_japanese,
    "ratio:stop_words": stop_words,
    "words:alphabet": alphabet,
    "words:consonants": consonants,
    "words:keywords_specific_position": keywords_specific_position,
    "words:last_first": last_first,
    "words:no_consecutive": no_consecutive,
    "words:palindrome": palindrome,
    "words:paragraph_last_first": paragraph_last_first,
    "words:prime_lengths": prime_lengths,
    "words:repeats": repeats,
    "words:vowel": vowel,
    "words:words_position": words_position,
}
