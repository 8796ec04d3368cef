"""Word constraint kinds: which words must occur, how often and where, and which must not."""

from random import Random
from typing import Any

from data.constraints.taxonomy import (
    Arguments,
    ConstraintKind,
    count_phrase,
    draw_choice,
    instruction_word,
    quoted_list,
    template_kind,
)
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
        position_argument = "nth_sentence" if name == "nth_sentence_first_word" else name
        return {position_argument: rng.randint(1, last), word: rng.choice(instruction.words)}

    return draw


def _copied(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"text": rng.choice(COPIED), "num_copies": rng.randint(1, 2), "relation": "exactly"}


def _words_phrasings(kwargs: Arguments) -> list[str]:
    words = kwargs["keywords"]
    noun = "word" if len(words) == 1 else "words"
    quoted = quoted_list(words)
    return [f"include the {noun} {quoted}", f"use the {noun} {quoted} in your answer", f"mention {quoted}"]


def _forbidden_phrasings(kwargs: Arguments) -> list[str]:
    words = kwargs["forbidden_words"]
    noun = "word" if len(words) == 1 else "words"
    quoted = quoted_list(words)
    return [f"avoid the {noun} {quoted}", f"leave out the {noun} {quoted}", f"answer without the {noun} {quoted}"]


def _frequency_phrasings(kwargs: Arguments) -> list[str]:
    times = f"{kwargs['relation']} {count_phrase(kwargs['frequency'], 'time')}"
    quoted = quoted_list([kwargs["keyword"]])
    return [f"use the word {quoted} {times}", f"repeat {quoted} {times}", f"let the word {quoted} appear {times}"]


def _letters_phrasings(kwargs: Arguments) -> list[str]:
    times = f"{kwargs['let_relation']} {count_phrase(kwargs['let_frequency'], 'time')}"
    quoted = quoted_list([kwargs["letter"]])
    return [
        f"use the letter {quoted} {times}",
        f"write the letter {quoted} {times}",
        f"have {quoted} as a letter {times}",
    ]


def _any_of_phrasings(kwargs: Arguments) -> list[str]:
    quoted = quoted_list(kwargs["keywords"])
    amount = f"{kwargs['relation']} {kwargs['num_keywords']}"
    return [
        f"include {amount} of the words {quoted}",
        f"use {amount} of these words: {quoted}",
        f"mention {amount} of {quoted}",
    ]


def _copied_phrasings(kwargs: Arguments) -> list[str]:
    times = f"{kwargs['relation']} {count_phrase(kwargs['num_copies'], 'time')}"
    quoted = quoted_list([kwargs["text"]])
    return [
        f"copy the text {quoted} {times}",
        f"write {quoted} word for word {times}",
        f"include the line {quoted} {times}",
    ]


KINDS = (
    ConstraintKind(id="keywords:existence", category="content", draw=_one_word, phrasings=_words_phrasings, short=True),
    ConstraintKind(
        id="keywords:forbidden_words", category="content", draw=_forbidden, phrasings=_forbidden_phrasings, short=True
    ),
    ConstraintKind(
        id="keywords:frequency", category="content", draw=_frequency, phrasings=_frequency_phrasings, short=True
    ),
    ConstraintKind(
        id="keywords:letter_frequency", category="content", draw=_letters, phrasings=_letters_phrasings, short=True
    ),
    ConstraintKind(id="keywords:any_of", category="content", draw=_any_of, phrasings=_any_of_phrasings),
    ConstraintKind(id="copying:copied_text", category="content", draw=_copied, phrasings=_copied_phrasings),
    template_kind(
        "content:keyword_range",
        "content",
        _keyword_range,
        "use the word '{keyword}' between {minimum} and {maximum} times",
        "let '{keyword}' appear {minimum} to {maximum} times",
        "write '{keyword}' at least {minimum} and at most {maximum} times",
    ),
    template_kind(
        "keywords:in_order",
        "content",
        _two_words,
        "use the words {keywords} in this order",
        "mention {keywords} one after the other",
        "include {keywords} and keep that order",
    ),
    template_kind(
        "keywords:same_sentence",
        "content",
        _two_words,
        "use the words {keywords} in one sentence",
        "put {keywords} into the same sentence",
        "include a sentence with both {keywords}",
    ),
    template_kind(
        "position:nth_sentence_contains",
        "content",
        _word_in("nth_sentence", 2),
        "use the word '{keyword}' in sentence {nth_sentence}",
        "let sentence {nth_sentence} contain '{keyword}'",
        "mention '{keyword}' in sentence number {nth_sentence}",
    ),
    template_kind(
        "position:nth_sentence_first_word",
        "content",
        _word_in("nth_sentence_first_word", 2),
        "begin sentence {nth_sentence} with the word '{word}'",
        "let sentence {nth_sentence} start with '{word}'",
        "make '{word}' the first word of sentence {nth_sentence}",
    ),
    template_kind(
        "position:nth_paragraph_contains",
        "content",
        _word_in("nth_paragraph", 2),
        "use the word '{keyword}' in paragraph {nth_paragraph}",
        "let paragraph {nth_paragraph} contain '{keyword}'",
        "mention '{keyword}' in paragraph number {nth_paragraph}",
    ),
    template_kind(
        "position:nth_word",
        "content",
        _word_in("nth_word", 4),
        "make '{word}' word number {nth_word} of your answer",
        "let word {nth_word} be '{word}'",
        "put the word '{word}' in place {nth_word}",
    ),
    template_kind(
        "position:last_sentence_contains",
        "content",
        instruction_word("keyword"),
        "use the word '{keyword}' in the last sentence",
        "let the final sentence contain '{keyword}'",
        "mention '{keyword}' in your closing sentence",
    ),
    template_kind(
        "position:nth_line_is",
        "content",
        lambda rng, instruction: {"nth_line": 1, "text": rng.choice(("Dear reader,", "My answer:", "Note"))},
        "make line {nth_line} exactly '{text}'",
        "write '{text}' as line {nth_line}, with nothing else on it",
        "let line {nth_line} read '{text}'",
    ),
    template_kind(
        "copying:no_prompt_run",
        "content",
        draw_choice("num_words", (4, 5, 6)),
        "avoid copying {num_words} words in a row from this request",
        "use your own words, never {num_words} of mine in a row",
        "stay clear of any run of {num_words} words from the request",
    ),
    template_kind(
        "copying:prompt_words",
        "content",
        lambda rng, instruction: {"first": 1, "last": rng.randint(2, 3)},
        "copy words {first} to {last} of this message exactly",
        "repeat words {first} to {last} of this message as they stand",
        "quote words {first} to {last} of this message",
        about_prompt=True,
    ),
    template_kind(
        "copying:prompt_line",
        "content",
        lambda rng, instruction: {"nth_line": 1},
        "copy line {nth_line} of this message exactly",
        "repeat line {nth_line} of this message as it stands",
        "quote line {nth_line} of this message in full",
        about_prompt=True,
    ),
)
