"""Language constraints: which language, and which letter case, an answer is written in."""

from data.constraints.taxonomy import Arguments, Kind, always, count, nothing


def _say_capital_words(kwargs: Arguments) -> list[str]:
    words = f"{kwargs['capital_relation']} {count(kwargs['capital_frequency'], 'word')}"
    return [
        f"write {words} in all capital letters",
        f"put {words} in CAPITAL letters",
        f"use {words} with all letters capitalized",
    ]


KINDS = (
    Kind(
        id="change_case:english_lowercase",
        category="language",
        draw=nothing,
        say=always(
            "write everything in lowercase letters",
            "use only lowercase letters",
            "answer in English without any capital letters",
        ),
        short=True,
    ),
    Kind(
        id="change_case:english_capital",
        category="language",
        draw=nothing,
        say=always(
            "write everything in CAPITAL LETTERS",
            "use only capital letters",
            "answer in English with every letter capitalized",
        ),
        short=True,
    ),
    Kind(
        id="change_case:capital_word_frequency",
        category="language",
        draw=lambda rng, instruction: {"capital_frequency": rng.randint(1, 3), "capital_relation": "at least"},
        say=_say_capital_words,
        short=True,
    ),
)
