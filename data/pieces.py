"""Pieces: what each kind of constraint adds to the draft of a text that keeps it."""

import json
from collections.abc import Callable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

from data.conflicts import bounds
from data.drafts import Bounds, Draft, filler
from data.lexicon import WORDS

Arguments = Mapping[str, Any]
Piece = Callable[[Draft, Arguments], None]

SECTION_MARK = "******"
DIVIDER = "\n\n***\n\n"


def _existence(draft: Draft, kwargs: Arguments) -> None:
    draft.words += kwargs["keywords"]


def _frequency(draft: Draft, kwargs: Arguments) -> None:
    low, high = bounds({name: value for name, value in kwargs.items() if name != "keyword"})
    draft.words += [kwargs["keyword"]] * low
    if high == 0:
        draft.banned_words.add(kwargs["keyword"].lower())


def _forbidden_words(draft: Draft, kwargs: Arguments) -> None:
    draft.banned_words |= {word.lower() for word in kwargs["forbidden_words"]}


def _letter_frequency(draft: Draft, kwargs: Arguments) -> None:
    letter = kwargs["letter"].lower()
    low, high = bounds({"relation": kwargs["let_relation"], "number": kwargs["let_frequency"]})
    if high is not None:
        draft.banned_characters.add(letter)
    carrier = next((word for word in WORDS["en"] if letter in word), letter)
    draft.words += [carrier] * -(-low // carrier.count(letter))


def _no_comma(draft: Draft, kwargs: Arguments) -> None:
    draft.banned_characters.add(",")


def _exclude_mark(draft: Draft, kwargs: Arguments) -> None:
    draft.banned_characters.add(kwargs["mark"])


def _ends_with_mark(draft: Draft, kwargs: Arguments) -> None:
    draft.end_mark = kwargs["mark"]


def _starts_with(draft: Draft, kwargs: Arguments) -> None:
    draft.opening = kwargs["phrase"]


def _end_checker(draft: Draft, kwargs: Arguments) -> None:
    draft.closing = kwargs["end_phrase"]


def _quotation(draft: Draft, kwargs: Arguments) -> None:
    draft.finish.append(lambda text: f'"{text}"')


def _postscript(draft: Draft, kwargs: Arguments) -> None:
    draft.lines.append(f"{kwargs['postscript_marker']} {_phrase(draft, 3)}")


def _placeholders(draft: Draft, kwargs: Arguments) -> None:
    draft.words += [f"[{word}]" for word in islice(filler(draft), kwargs["num_placeholders"])]


def _title(draft: Draft, kwargs: Arguments) -> None:
    title = f"<<{_phrase(draft, 2)}>>"
    (draft.lines if draft.opening else draft.head).append(title)


def _highlights(draft: Draft, kwargs: Arguments) -> None:
    draft.words += [f"*{word}*" for word in islice(filler(draft), kwargs["num_highlights"])]


def _bullets(draft: Draft, kwargs: Arguments) -> None:
    source = filler(draft)
    draft.lines += [f"* {next(source).capitalize()} {next(source)}" for _ in range(kwargs["num_bullets"])]


def _sections(draft: Draft, kwargs: Arguments) -> None:
    for number in range(1, kwargs["num_sections"] + 1):
        draft.lines += [f"{kwargs['section_spliter'].strip()} {number}", _phrase(draft, 2)]


def _json(draft: Draft, kwargs: Arguments) -> None:
    draft.finish.append(lambda text: json.dumps({"answer": text}, ensure_ascii=False))


def _fixed_answer(draft: Draft, kwargs: Arguments) -> None:
    draft.lines.append("My answer is yes.")


def _lowercase(draft: Draft, kwargs: Arguments) -> None:
    draft.finish.append(str.lower)


def _capitals(draft: Draft, kwargs: Arguments) -> None:
    draft.finish.append(str.upper)


def _capital_words(draft: Draft, kwargs: Arguments) -> None:
    low, _ = bounds({"relation": kwargs["capital_relation"], "number": kwargs["capital_frequency"]})
    long_words = (word for word in filler(draft) if len(word) > 1)
    draft.words += [word.upper() for word in islice(long_words, low)]


def _response_language(draft: Draft, kwargs: Arguments) -> None:
    draft.language = kwargs["language"] if kwargs["language"] in WORDS else "en"


def _words(draft: Draft, kwargs: Arguments) -> None:
    draft.num_words = both(draft.num_words, bounds(kwargs))


def _sentences(draft: Draft, kwargs: Arguments) -> None:
    draft.sentences = both(draft.sentences, bounds(kwargs))


def _paragraphs(draft: Draft, kwargs: Arguments) -> None:
    draft.paragraphs = both((1, None), bounds(kwargs))


def _divided_paragraphs(draft: Draft, kwargs: Arguments) -> None:
    draft.paragraphs = (kwargs["num_paragraphs"], kwargs["num_paragraphs"])
    draft.paragraph_break = DIVIDER


def _nth_paragraph(draft: Draft, kwargs: Arguments) -> None:
    draft.paragraphs = (kwargs["num_paragraphs"], kwargs["num_paragraphs"])
    draft.paragraph_openings[kwargs["nth_paragraph"] - 1] = kwargs["first_word"]


def _two_responses(draft: Draft, kwargs: Arguments) -> None:
    draft.lines += [SECTION_MARK, _phrase(draft, 3)]


def _repeat_prompt(draft: Draft, kwargs: Arguments) -> None:
    draft.head.insert(0, kwargs["prompt_to_repeat"])


def _phrase(draft: Draft, num_words: int) -> str:
    """A few words of filler with a capital first letter."""
    return " ".join(islice(filler(draft), num_words)).capitalize()


def both(first: Bounds, second: Bounds) -> Bounds:
    """What two pairs of bounds allow together."""
    limits = [bound[1] for bound in (first, second) if bound[1] is not None]
    return max(first[0], second[0]), min(limits, default=None)


PIECES = MappingProxyType(
    {
        # First what limits the filler, then what is made of it, and the frame around all last.
        "language:response_language": _response_language,
        "keywords:forbidden_words": _forbidden_words,
        "punctuation:no_comma": _no_comma,
        "content:exclude_mark": _exclude_mark,
        "keywords:letter_frequency": _letter_frequency,
        "keywords:frequency": _frequency,
        "content:keyword_range": _frequency,
        "keywords:existence": _existence,
        "content:starts_with": _starts_with,
        "content:ends_with_mark": _ends_with_mark,
        "startend:end_checker": _end_checker,
        "combination:repeat_prompt": _repeat_prompt,
        "combination:two_responses": _two_responses,
        "detectable_format:title": _title,
        "detectable_format:number_bullet_lists": _bullets,
        "detectable_format:number_highlighted_sections": _highlights,
        "detectable_format:multiple_sections": _sections,
        "detectable_format:constrained_response": _fixed_answer,
        "detectable_content:number_placeholders": _placeholders,
        "detectable_content:postscript": _postscript,
        "change_case:capital_word_frequency": _capital_words,
        "length:word_range": _words,
        "length_constraints:number_words": _words,
        "length:sentence_range": _sentences,
        "length_constraints:number_sentences": _sentences,
        "length:paragraph_range": _paragraphs,
        "length_constraints:number_paragraphs": _divided_paragraphs,
        "length_constraints:nth_paragraph_first_word": _nth_paragraph,
        "change_case:english_lowercase": _lowercase,
        "change_case:english_capital": _capitals,
        "detectable_format:json_format": _json,
        "startend:quotation": _quotation,
    }
)
"""Verifier id -> what it adds, in the order in which a draft is to be filled."""
