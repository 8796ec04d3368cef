"""Content steps: what content constraints add to a draft."""

import string
from collections.abc import Callable
from itertools import islice

from data.conflicts import bounds
from data.problems import Arguments
from data.witness.draft import Draft, allowed, filler, phrase
from data.witness.lexicon import ALLITERATIONS, PALINDROMES, WORDS
from rewards.text import term_spans

DraftStep = Callable[[Draft, Arguments], None]

ASTERISKS = "******"
ALPHABETICAL = ("All", "Big", "Cold", "Dry", "Every", "Four", "Good", "Here")
DATES = {
    "YYYY-MM-DD": "2024-05-17",
    "DD.MM.YYYY": "17.05.2024",
    "MM/DD/YYYY": "05/17/2024",
    "Month D, YYYY": "May 17, 2024",
    "D Month YYYY": "17 May 2024",
}


def set_field(field: str, argument: str) -> DraftStep:
    """Return a step for a constraint whose one argument is a field of the draft."""
    return lambda draft, kwargs: setattr(draft, field, kwargs[argument])


def repeat_word(key: str, word: str | Callable[[str], str]) -> DraftStep:
    """Return a step for a constraint that counts something that can be written as a word of its own."""

    def step(draft: Draft, kwargs: Arguments) -> None:
        number = target_count(kwargs, key)
        source = islice(filler(draft), number)
        draft.words += [word] * number if isinstance(word, str) else [word(filling) for filling in source]

    return step


def target_count(kwargs: Arguments, key: str) -> int:
    """Return the best number for a counting constraint: the most it allows, or else the least."""
    low, high = bounds({"number": kwargs[key], "relation": kwargs.get("relation", "exactly")})
    return low if high is None else high


def no_change(draft: Draft, kwargs: Arguments) -> None:
    """Leave the draft as it is: any plain text satisfies the constraint."""


def _existence(draft: Draft, kwargs: Arguments) -> None:
    draft.words += kwargs["keywords"]


def _any_of(draft: Draft, kwargs: Arguments) -> None:
    draft.words += kwargs["keywords"][: target_count(kwargs, "num_keywords")]


def _together(draft: Draft, kwargs: Arguments) -> None:
    draft.sentence_endings.setdefault(0, []).extend(kwargs["keywords"])


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
    carriers = (word for word in WORDS["en"] if letter in word and word not in draft.banned_words)
    carrier = next((word for word in carriers if high is not None or allowed(draft, word)), letter)
    draft.words += [carrier] * -(-low // carrier.count(letter))


def _banned(characters: Callable[[Arguments], str]) -> DraftStep:
    def step(draft: Draft, kwargs: Arguments) -> None:
        draft.banned_characters |= set(characters(kwargs).lower())

    return step


def _sentence_contains(draft: Draft, kwargs: Arguments) -> None:
    position = kwargs["nth_sentence"] - 1
    draft.sentence_endings.setdefault(position, []).append(kwargs["keyword"])
    draft.sentences = (max(draft.sentences[0], position + 1), draft.sentences[1])


def _sentence_first_word(draft: Draft, kwargs: Arguments) -> None:
    position = kwargs["nth_sentence"] - 1
    draft.sentence_openings[position] = kwargs["word"]
    draft.sentences = (max(draft.sentences[0], position + 1), draft.sentences[1])


def _last_sentence_contains(draft: Draft, kwargs: Arguments) -> None:
    draft.sentence_endings.setdefault(-1, []).append(kwargs["keyword"])


def _paragraph_contains(draft: Draft, kwargs: Arguments) -> None:
    position = kwargs["nth_paragraph"]
    draft.paragraphs = (max(draft.paragraphs[0], position), None)
    draft.paragraph_openings[position - 1] = kwargs["keyword"]


def _nth_word(draft: Draft, kwargs: Arguments) -> None:
    draft.word_positions[kwargs["nth_word"]] = kwargs["word"]


def _nth_line(draft: Draft, kwargs: Arguments) -> None:
    draft.head.insert(kwargs["nth_line"] - 1, kwargs["text"])


def _copied(draft: Draft, kwargs: Arguments) -> None:
    draft.lines += [kwargs["text"]] * target_count(kwargs, "num_copies")


def _last_word(draft: Draft, kwargs: Arguments) -> None:
    draft.sentence_endings.setdefault(-1, []).append(kwargs["word"])


def _same_words(draft: Draft, kwargs: Arguments) -> None:
    def repeat_first_word(text: str) -> str:
        first = next(iter(term_spans(text)), (0, 0))
        return f"{text.rstrip('.!?')} {text[slice(*first)].lower()}."

    draft.final_edits.append(repeat_first_word)


def _each_line(draft: Draft, kwargs: Arguments) -> None:
    prefix = kwargs["prefix"]
    draft.final_edits.append(lambda text: "\n".join(prefix + line for line in text.split("\n") if line.strip()))


def _delimited(draft: Draft, kwargs: Arguments) -> None:
    draft.final_edits.append(lambda text: f"{kwargs['opening']}{text}{kwargs['closing']}")


def _quotation(draft: Draft, kwargs: Arguments) -> None:
    draft.final_edits.append(lambda text: f'"{text}"')


def _postscript(draft: Draft, kwargs: Arguments) -> None:
    draft.lines.append(f"{kwargs['postscript_marker']} {phrase(draft, 3)}")


def _mark_frequency(draft: Draft, kwargs: Arguments) -> None:
    source = islice(filler(draft), target_count({**kwargs, "number": kwargs["frequency"]}, "number"))
    draft.words += [f"{word}{kwargs['mark']}" for word in source]


def _questions(draft: Draft, kwargs: Arguments) -> None:
    draft.num_questions = target_count(kwargs, "num_questions")
    draft.sentences = (max(draft.sentences[0], draft.num_questions), draft.sentences[1])


def _acrostic(draft: Draft, kwargs: Arguments) -> None:
    draft.body_lines = [
        f"{letter.upper()} {phrase(draft, 2, skip=number)}" for number, letter in enumerate(kwargs["word"])
    ]


def _alliteration(draft: Draft, kwargs: Arguments) -> None:
    runs = (run.split()[: kwargs["num_words"]] for run in ALLITERATIONS)
    draft.sentence_endings.setdefault(0, []).extend(
        next((run for run in runs if all(allowed(draft, word) for word in run)), [])
    )


def _alphabetical(draft: Draft, kwargs: Arguments) -> None:
    draft.sentences = (max(draft.sentences[0], 2), draft.sentences[1])
    draft.sentence_openings |= dict(enumerate(ALPHABETICAL))


def _palindromes(draft: Draft, kwargs: Arguments) -> None:
    words = [word for word in PALINDROMES if allowed(draft, word)]
    draft.words += words[: target_count(kwargs, "num_palindromes")]


def _initial(draft: Draft, kwargs: Arguments) -> None:
    letter = kwargs["letter"].lower()
    draft.each_opening = next((word for word in filler_words(draft) if word.startswith(letter)), letter)


def filler_words(draft: Draft) -> list[str]:
    """Return the words a draft may use, each once."""
    return [word for word in WORDS[draft.language] if allowed(draft, word)]


def _line_initial(draft: Draft, kwargs: Arguments) -> None:
    _initial(draft, kwargs)
    draft.opening, draft.each_opening = draft.each_opening, ""


def _two_responses(draft: Draft, kwargs: Arguments) -> None:
    draft.lines += [ASTERISKS, phrase(draft, 3, skip=6)]


def _parts(draft: Draft, kwargs: Arguments) -> None:
    for number in range(1, kwargs["num_parts"]):
        draft.lines += [f"\n{kwargs['divider']}\n", phrase(draft, 3, skip=number)]


def _repeat_prompt(draft: Draft, kwargs: Arguments) -> None:
    draft.head.insert(0, kwargs["prompt_to_repeat"])


def _dates(draft: Draft, kwargs: Arguments) -> None:
    draft.words += [DATES[kwargs["style"]]] * target_count(kwargs, "num_dates")


LIMITS: dict[str, DraftStep] = {
    "keywords:forbidden_words": _forbidden_words,
    "punctuation:no_comma": _banned(lambda kwargs: ","),
    "punctuation:only_marks": _banned(lambda kwargs: "".join(set(string.punctuation) - set(kwargs["marks"]))),
    "content:exclude_mark": _banned(lambda kwargs: kwargs["mark"]),
    "content:exclude_letter": _banned(lambda kwargs: kwargs["letter"]),
    "content:no_digits": _banned(lambda kwargs: string.digits),
    "content:ascii_only": no_change,
    "letters:word_initial": set_field("initial", "letter"),
    "keywords:letter_frequency": _letter_frequency,
}
"""Steps that limit the filler words, so they come first."""

STEPS: dict[str, DraftStep] = {
    "keywords:frequency": _frequency,
    "content:keyword_range": _frequency,
    "keywords:existence": _existence,
    "keywords:any_of": _any_of,
    "keywords:in_order": _together,
    "keywords:same_sentence": _together,
    "position:nth_sentence_contains": _sentence_contains,
    "position:nth_sentence_first_word": _sentence_first_word,
    "position:last_sentence_contains": _last_sentence_contains,
    "position:nth_paragraph_contains": _paragraph_contains,
    "position:nth_word": _nth_word,
    "position:nth_line_is": _nth_line,
    "copying:copied_text": _copied,
    "copying:no_prompt_run": no_change,
    "content:starts_with": set_field("opening", "phrase"),
    "startend:first_word": set_field("opening", "word"),
    "startend:last_word": _last_word,
    "content:ends_with_mark": set_field("end_mark", "mark"),
    "startend:end_checker": set_field("closing", "end_phrase"),
    "content:ends_with": set_field("closing", "phrase"),
    "punctuation:sentence_mark": set_field("sentence_mark", "mark"),
    "punctuation:mark_frequency": _mark_frequency,
    "punctuation:parentheses": repeat_word("num_parentheses", lambda word: f"({word})"),
    "punctuation:quotations": repeat_word("num_quotations", lambda word: f'"{word}"'),
    "punctuation:questions": _questions,
    "punctuation:balanced": no_change,
    "letters:acrostic": _acrostic,
    "letters:alliteration": _alliteration,
    "letters:alphabetical_sentences": _alphabetical,
    "letters:palindromes": _palindromes,
    "letters:sentence_initial": _initial,
    "letters:line_initial": _line_initial,
    "detectable_content:number_placeholders": repeat_word("num_placeholders", lambda word: f"[{word}]"),
    "detectable_content:postscript": _postscript,
    "content:numbers": repeat_word("num_numbers", "7"),
    "content:emojis": repeat_word("num_emojis", "\N{SLIGHTLY SMILING FACE}"),
    "content:links": repeat_word("num_links", "https://example.org"),
    "content:dates": _dates,
    "combination:no_repeated_sentence": no_change,
    "combination:repeat_prompt": _repeat_prompt,
    "combination:two_responses": _two_responses,
    "combination:parts": _parts,
}

FRAMES: dict[str, DraftStep] = {
    "startend:same_first_and_last_word": _same_words,
    "content:delimited": _delimited,
    "startend:quotation": _quotation,
    "startend:each_line_starts": _each_line,
}
"""Steps that edit the finished text."""
