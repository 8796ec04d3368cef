"""Constraints on words: which must occur, how often, where, and which must not."""

from random import Random
from typing import Any

from data.constraints.taxonomy import Arguments, ConstraintKind, count, drawn_from, naming, own_word, quoted
from data.instructions import Instruction

COMMON_LETTERS = "bcdfghklmpuwy"
COPIED = ("Safety first.", "Every day counts.", "Less is more.", "We can do it.")


def _one_word(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"keywords": [rng.choice(instruction.words)]}


def _two_words(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"keywords": rng.sample(instruction.words, 2)}


def _forbidden(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"forbidden_words": rng.sample(instruction.words, rng.randint(1, 2))}


def _frequency(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"keyword": rng.choice(instruction.words), "frequency": 2, "relation": "at least"}


def _letters(rng: Random, instruction: Instruction) -> dict[str, Any]:
    relation, most = rng.choice((("at least", 5), ("less than", 4)))
    return {"letter": rng.choice(COMMON_LETTERS), "let_frequency": rng.randint(2, most), "let_relation": relation}


def _keyword_range(rng: Random, instruction: Instruction) -> dict[str, Any]:
    minimum = rng.randint(1, 2)
    return {"keyword": rng.choice(instruction.words), "minimum": minimum, "maximum": minimum + rng.randint(1, 2)}


def _any_of(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"keywords": list(instruction.words), "num_keywords": rng.randint(1, 2), "relation": "at least"}


def _word_in(name: str, last: int):
    def draw(rng: Random, instruction: Instruction) -> dict[str, Any]:
        word = "word" if name in ("nth_word", "nth_sentence_first_word") else "keyword"
        place = "nth_sentence" if name == "nth_sentence_first_word" else name
        return {place: rng.randint(1, last), word: rng.choice(instruction.words)}

    return draw


def _copied(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"text": rng.choice(COPIED), "num_copies": rng.randint(1, 2), "relation": "exactly"}


def _say_words(kwargs: Arguments) -> list[str]:
    words = kwargs["keywords"]
    noun = "word" if len(words) == 1 else "words"
    named = quoted(words)
    return [f"include the {noun} {named}", f"use the {noun} {named} in your answer", f"mention {named}"]


def _say_forbidden(kwargs: Arguments) -> list[str]:
    words = kwargs["forbidden_words"]
    noun = "word" if len(words) == 1 else "words"
    named = quoted(words)
    return [f"avoid the {noun} {named}", f"leave out the {noun} {named}", f"answer without the {noun} {named}"]


def _say_frequency(kwargs: Arguments) -> list[str]:
    times = f"{kwargs['relation']} {count(kwargs['frequency'], 'time')}"
    named = quoted([kwargs["keyword"]])
    return [f"use the word {named} {times}", f"repeat {named} {times}", f"let the word {named} appear {times}"]


def _say_letters(kwargs: Arguments) -> list[str]:
    times = f"{kwargs['let_relation']} {count(kwargs['let_frequency'], 'time')}"
    named = quoted([kwargs["letter"]])
    return [f"use the letter {named} {times}", f"write the letter {named} {times}", f"have {named} as a letter {times}"]


def _say_any_of(kwargs: Arguments) -> list[str]:
    named = quoted(kwargs["keywords"])
    amount = f"{kwargs['relation']} {kwargs['num_keywords']}"
    return [
        f"include {amount} of the words {named}",
        f"use {amount} of these words: {named}",
        f"mention {amount} of {named}",
    ]


def _say_copied(kwargs: Arguments) -> list[str]:
    times = f"{kwargs['relation']} {count(kwargs['num_copies'], 'time')}"
    named = quoted([kwargs["text"]])
    return [
        f"copy the text {named} {times}",
        f"write {named} word for word {times}",
        f"include the line {named} {times}",
    ]


KINDS = (
    ConstraintKind(id="keywords:existence", category="content", draw=_one_word, say=_say_words, short=True),
    ConstraintKind(id="keywords:forbidden_words", category="content", draw=_forbidden, say=_say_forbidden, short=True),
    ConstraintKind(id="keywords:frequency", category="content", draw=_frequency, say=_say_frequency, short=True),
    ConstraintKind(id="keywords:letter_frequency", category="content", draw=_letters, say=_say_letters, short=True),
    ConstraintKind(id="keywords:any_of", category="content", draw=_any_of, say=_say_any_of),
    ConstraintKind(id="copying:copied_text", category="content", draw=_copied, say=_say_copied),
    naming(
        "content:keyword_range",
        "content",
        _keyword_range,
        "use the word '{keyword}' between {minimum} and {maximum} times",
        "let '{keyword}' appear {minimum} to {maximum} times",
        "write '{keyword}' at least {minimum} and at most {maximum} times",
    ),
    naming(
        "keywords:in_order",
        "content",
        _two_words,
        "use the words {keywords} in this order",
        "mention {keywords} one after the other",
        "include {keywords} and keep that order",
    ),
    naming(
        "keywords:same_sentence",
        "content",
        _two_words,
        "use the words {keywords} in one sentence",
        "put {keywords} into the same sentence",
        "include a sentence with both {keywords}",
    ),
    naming(
        "position:nth_sentence_contains",
        "content",
        _word_in("nth_sentence", 2),
        "use the word '{keyword}' in sentence {nth_sentence}",
        "let sentence {nth_sentence} contain '{keyword}'",
        "mention '{keyword}' in sentence number {nth_sentence}",
    ),
    naming(
        "position:nth_sentence_first_word",
        "content",
        _word_in("nth_sentence_first_word", 2),
        "begin sentence {nth_sentence} with the word '{word}'",
        "let sentence {nth_sentence} start with '{word}'",
        "make '{word}' the first word of sentence {nth_sentence}",
    ),
    naming(
        "position:nth_paragraph_contains",
        "content",
        _word_in("nth_paragraph", 2),
        "use the word '{keyword}' in paragraph {nth_paragraph}",
        "let paragraph {nth_paragraph} contain '{keyword}'",
        "mention '{keyword}' in paragraph number {nth_paragraph}",
    ),
    naming(
        "position:nth_word",
        "content",
        _word_in("nth_word", 4),
        "make '{word}' word number {nth_word} of your answer",
        "let word {nth_word} be '{word}'",
        "put the word '{word}' in place {nth_word}",
    ),
    naming(
        "position:last_sentence_contains",
        "content",
        own_word("keyword"),
        "use the word '{keyword}' in the last sentence",
        "let the final sentence contain '{keyword}'",
        "mention '{keyword}' in your closing sentence",
    ),
    naming(
        "position:nth_line_is",
        "content",
        lambda rng, instruction: {"nth_line": 1, "text": rng.choice(("Dear reader,", "My answer:", "Note"))},
        "make line {nth_line} exactly '{text}'",
        "write '{text}' as line {nth_line}, with nothing else on it",
        "let line {nth_line} read '{text}'",
    ),
    naming(
        "copying:no_prompt_run",
        "content",
        drawn_from("num_words", (4, 5, 6)),
        "avoid copying {num_words} words in a row from this request",
        "use your own words, never {num_words} of mine in a row",
        "stay clear of any run of {num_words} words from the request",
    ),
    naming(
        "copying:prompt_words",
        "content",
        lambda rng, instruction: {"first": 1, "last": rng.randint(2, 3)},
        "copy words {first} to {last} of this message exactly",
        "repeat words {first} to {last} of this message as they stand",
        "quote words {first} to {last} of this message",
        about_prompt=True,
    ),
    naming(
        "copying:prompt_line",
        "content",
        lambda rng, instruction: {"nth_line": 1},
        "copy line {nth_line} of this message exactly",
        "repeat line {nth_line} of this message as it stands",
        "quote line {nth_line} of this message in full",
        about_prompt=True,
    ),
)
