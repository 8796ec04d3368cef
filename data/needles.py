"""Needle tests: a sentence hidden in a long text, and the question that requires it (after arXiv 2404.15574)."""

from dataclasses import dataclass
from random import Random

from rewards.errors import InputError

CITIES = ("Orlin", "Vastra", "Keldon", "Marrow Bay", "Tessaly", "Brindle", "Upper Quay", "Novemar")
"""Invented places, so that a model cannot know an answer."""
ACTIVITIES = ("feed the herons", "paint a blue door", "count old bridges", "taste warm plum soup", "ride the salt tram")
SETTINGS = ("behind the glass library", "on the windy roof", "beside seven stone lions", "under the copper clock")

PEOPLE = ("My aunt", "The baker", "A quiet student", "Our neighbour", "The new teacher", "An old sailor")
DEEDS = ("repaired a chair", "wrote a long letter", "bought fresh bread", "watered the roses", "lost a left shoe")
TIMES = ("before breakfast", "on Monday", "after the rain", "in the afternoon", "last winter", "while the radio played")


@dataclass(frozen=True, kw_only=True, slots=True)
class NeedleTest:
    """A prompt, and the answer that copies the needle from it.

    Example:
        NeedleTest(prompt="The best thing to do in Orlin is to sing. My aunt ...", needle=(35, 40),
                   opening="The best thing to do in Orlin is to", copied=" sing")
    """

    prompt: str
    needle: tuple[int, int]
    """Half-open character span in the prompt of the words to be copied."""
    opening: str
    """How the answer begins: words that the question gives away."""
    copied: str
    """How the answer continues: the needle, with the space before it."""


def needle_test(seed: int, index: int, *, num_sentences: int = 24) -> NeedleTest:
    """Return test `index` of the stream `seed`, the needle at a random depth. A pure function of its arguments.

    Raises InputError for a text without sentences.
    """
    if num_sentences < 1:
        raise InputError(f"num_sentences must be at least 1, got {num_sentences}")
    rng = Random(f"needle-{seed}-{index}")
    city, copied = rng.choice(CITIES), f" {rng.choice(ACTIVITIES)} {rng.choice(SETTINGS)}"
    opening = f"The best thing to do in {city} is to"
    hay = [f"{rng.choice(PEOPLE)} {rng.choice(DEEDS)} {rng.choice(TIMES)}." for _ in range(num_sentences)]
    depth = rng.randint(0, num_sentences)
    before = " ".join([*hay[:depth], opening])
    text = " ".join([f"{before}{copied}.", *hay[depth:]])
    question = f"What is the best thing to do in {city}? Answer in the words of the text."
    return NeedleTest(
        prompt=f"{text}\n\n{question}", needle=(len(before), len(before + copied)), opening=opening, copied=copied
    )
