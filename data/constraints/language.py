"""Language constraint kinds: the language, script and letter case of an answer."""

from data.constraints.taxonomy import Arguments, ConstraintKind, draw_choice, fixed_kind, relation_phrase

LANGUAGES = {"en": "English", "de": "German", "es": "Spanish", "fr": "French", "it": "Italian", "pt": "Portuguese"}


def _capital_words_phrasings(kwargs: Arguments) -> list[str]:
    words = relation_phrase(kwargs["capital_relation"], kwargs["capital_frequency"], "word")
    return [
        f"write {words} in all capital letters",
        f"put {words} in CAPITAL letters",
        f"use {words} with all letters capitalized",
    ]


def _language_phrasings(kwargs: Arguments) -> list[str]:
    name = LANGUAGES.get(kwargs["language"], f"the language '{kwargs['language']}'")
    return [f"answer in {name}", f"write in {name} only", f"use {name} and no other language"]


def _script_phrasings(kwargs: Arguments) -> list[str]:
    script = kwargs["script"]
    return [f"use {script} letters only", f"write in {script} script", f"keep to {script} letters"]


KINDS = (
    fixed_kind(
        "change_case:english_lowercase",
        "language",
        "write everything in lowercase letters",
        "use only lowercase letters",
        "answer in English without any capital letters",
        short=True,
    ),
    fixed_kind(
        "change_case:english_capital",
        "language",
        "write everything in CAPITAL LETTERS",
        "use only capital letters",
        "answer in English with every letter capitalized",
        short=True,
    ),
    ConstraintKind(
        id="change_case:capital_word_frequency",
        category="language",
        draw=lambda rng, instruction: {"capital_frequency": rng.randint(1, 3), "capital_relation": "at least"},
        phrasings=_capital_words_phrasings,
        short=True,
    ),
    fixed_kind(
        "change_case:title_case",
        "language",
        "start each word with a capital letter",
        "capitalize the first letter of every word",
        "write Every Word With A Capital",
    ),
    fixed_kind(
        "change_case:sentence_capitals",
        "language",
        "start every sentence with a capital letter",
        "begin each sentence with a capital",
        "capitalize the first letter of every sentence",
    ),
    fixed_kind(
        "change_case:all_lowercase",
        "language",
        "use no capital letters",
        "avoid capitals",
        "write in small letters only",
    ),
    fixed_kind(
        "change_case:all_uppercase", "language", "use no small letters", "avoid small letters", "write in capitals only"
    ),
    ConstraintKind(
        id="language:response_language",
        category="language",
        draw=draw_choice("language", tuple(LANGUAGES)),
        phrasings=_language_phrasings,
    ),
    ConstraintKind(
        id="language:script", category="language", draw=draw_choice("script", ("Latin",)), phrasings=_script_phrasings
    ),
    fixed_kind(
        "language:simplified_chinese",
        "language",
        "answer in Simplified Chinese",
        "write in Simplified Chinese characters",
        "use Simplified Chinese",
    ),
    fixed_kind(
        "language:traditional_chinese",
        "language",
        "answer in Traditional Chinese",
        "write in Traditional Chinese characters",
        "use Traditional Chinese",
    ),
)
