"""Base instructions: many, varied, and with a fixed split."""

import re
from collections import Counter

from data.instructions import instructions
from rewards.topic import REQUEST_WORDS, key_stems, stem

ALL = (*instructions("train"), *instructions("held_out"))
GRAMMAR = """a an the of to in on at for from with and or but as by is are was do does did can could would should will
i you me my your it its his her their our we they that this who what which why how when where if has have not one two"""


def template(text):
    """Return the instruction without its topic: grammar words stay, runs of other words become one gap."""
    words = re.findall(r"[a-z']+", text.lower())
    gaps = [word if word in GRAMMAR.split() or index == 0 else "_" for index, word in enumerate(words)]
    return " ".join(word for index, word in enumerate(gaps) if word != "_" or gaps[index - 1] != "_")


def test_instructions__are_enough_and_distinct():
    assert len(instructions("train")) >= 200 and len(instructions("held_out")) >= 96
    assert len({instruction.text.lower() for instruction in ALL}) == len(ALL)


def test_instructions__splits_share_none():
    assert not {one.text for one in instructions("train")} & {other.text for other in instructions("held_out")}


def test_instructions__no_template_accounts_for_more_than_ten():
    assert max(Counter(template(instruction.text) for instruction in ALL).values()) <= 10
    beginnings = Counter(" ".join(instruction.text.lower().split()[:2]) for instruction in ALL)
    assert max(beginnings.values()) <= 10


def test_template__keeps_grammar_words():
    assert template("Describe a rainy morning in a small town.") == "describe a _ in a _"


def test_instructions__have_a_topic_for_the_guard():
    request_words = {stem(word) for word in REQUEST_WORDS}
    assert [one.text for one in ALL if not key_stems(one.text) - request_words] == []


def test_instructions__do_not_contain_their_words():
    for instruction in ALL:
        assert len(set(instruction.words)) == 3
        text_words = re.findall(r"\w+", instruction.text.lower())
        assert not [word for word in instruction.words if word.lower() in text_words], instruction
