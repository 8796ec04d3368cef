"""Base instructions: many, varied, and split once and for all."""

import re
from collections import Counter

from data.instructions import instructions
from rewards.topic import REQUEST_WORDS, key_stems, stem

ALL = (*instructions("train"), *instructions("held_out"))
GRAMMAR = """a an the of to in on at for from with and or but as by is are was do does did can could would should will
i you me my your it its his her their our we they that this who what which why how when where if has have not one two"""


def template(text):
    """The instruction with its topic cut out: grammar words stay, runs of other words become one gap."""
    words = re.findall(r"[a-z']+", text.lower())
    gaps = [word if word in GRAMMAR.split() or place == 0 else "_" for place, word in enumerate(words)]
    return " ".join(word for place, word in enumerate(gaps) if word != "_" or gaps[place - 1] != "_")


def test_there_are_enough_instructions_and_none_twice():
    assert len(instructions("train")) >= 200 and len(instructions("held_out")) >= 96
    assert len({instruction.text.lower() for instruction in ALL}) == len(ALL)


def test_train_and_held_out_share_no_instruction():
    assert not {one.text for one in instructions("train")} & {other.text for other in instructions("held_out")}


def test_no_template_accounts_for_more_than_ten_instructions():
    assert max(Counter(template(instruction.text) for instruction in ALL).values()) <= 10
    beginnings = Counter(" ".join(instruction.text.lower().split()[:2]) for instruction in ALL)
    assert max(beginnings.values()) <= 10


def test_the_template_of_an_instruction_keeps_its_grammar():
    assert template("Describe a rainy morning in a small town.") == "describe a _ in a _"


def test_every_instruction_has_a_topic_a_guard_can_look_for():
    asking = {stem(word) for word in REQUEST_WORDS}
    assert [one.text for one in ALL if not key_stems(one.text) - asking] == []


def test_the_words_of_an_instruction_are_not_in_it():
    for instruction in ALL:
        assert len(set(instruction.words)) == 3
        said = re.findall(r"\w+", instruction.text.lower())
        assert not [word for word in instruction.words if word.lower() in said], instruction
