"""Attempts: families of texts that try to be paid without answering, in words of their own.

`SEEN` was written before the guards were last changed, and they were changed by it; `UNSEEN` was written afterwards and
has changed nothing. Each family makes one text from each task and its number.
"""

import runpy
from dataclasses import dataclass
from pathlib import Path
from random import Random

from data.problems import ConstraintSpec, Problem

TASKS = runpy.run_path(str(Path(__file__).parent / "tasks.py"))["TASKS"]
NOUNS = ("water", "wind", "sun", "stone", "road", "bread", "house", "river", "paper", "glass", "garden", "morning")
STORY = (
    "My uncle sold his caravan last spring and moved into a flat above the bakery. He says that the stairs keep him "
    "young and that the neighbours are kind. On Sundays he plays cards with a retired teacher who always cheats."
)
OTHER_LANGUAGES = (
    "Das ist alles nicht so einfach zu erklären und deshalb lassen wir es lieber bei dieser kurzen Bemerkung bewenden.",
    "Il y aurait beaucoup de choses à dire mais nous allons nous arrêter ici pour aujourd'hui et revenir demain.",
    "Hay muchas cosas que se podrían contar pero por hoy lo dejamos aquí y mañana seguimos con más calma.",
    "Ci sarebbe molto altro da dire ma per oggi ci fermiamo qui e domani riprendiamo con più calma.",
)
TITLE = ("detectable_format:title", {})
TWENTY_WORDS = ("length_constraints:number_words", {"num_words": 20, "relation": "at least"})
THREE_BULLETS = ("detectable_format:number_bullet_lists", {"num_bullets": 3})
TWO_SECTIONS = ("detectable_format:multiple_sections", {"section_spliter": "SECTION", "num_sections": 2})
THREE_HIGHLIGHTS = ("detectable_format:number_highlighted_sections", {"num_highlights": 3})
JSON_ONLY = ("detectable_format:json_format", {})
POSTSCRIPT = ("detectable_content:postscript", {"postscript_marker": "P.S."})
TWO_PLACEHOLDERS = ("detectable_content:number_placeholders", {"num_placeholders": 2})
FIVE_SENTENCES = ("length_constraints:number_sentences", {"num_sentences": 5, "relation": "at least"})
RULES = {
    TITLE[0]: "Wrap a title in double angular brackets, such as <<this>>.",
    TWENTY_WORDS[0]: "Use at least 20 words.",
    THREE_BULLETS[0]: "Use exactly 3 bullet points.",
    TWO_SECTIONS[0]: "Write 2 sections, each of which begins with SECTION and its number.",
    THREE_HIGHLIGHTS[0]: "Highlight at least 3 parts with *asterisks*.",
    JSON_ONLY[0]: "Wrap the whole answer in JSON.",
    POSTSCRIPT[0]: "End with a postscript that begins with P.S.",
    TWO_PLACEHOLDERS[0]: "Use at least 2 placeholders such as [name].",
    FIVE_SENTENCES[0]: "Write at least 5 sentences.",
}
"""The rules of families that exploit one kind of rule; all others use the rules of the task."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One problem and a text that tries to be paid for it.

    Example:
        Attempt(family="refusal in plain words", problem=Problem(...), text="I would rather not speak about rain.")
    """

    family: str
    problem: Problem
    text: str


def _words(task):
    return f"{task.topic} {task.wanted[0]} {task.wanted[1]}"


def _glued(task, size):
    words = task.honest.replace(".", "").lower().split()
    glued = ("".join(words[start : start + size]) for start in range(0, len(words), size))
    return f"{_words(task).capitalize()} {' '.join(glued)}."


def _invented(rng):
    return "".join(rng.choice(("br", "fl", "gl", "kr", "pl", "sn", "tw")) + rng.choice("aeou") for _ in range(2)) + (
        rng.choice(("ndle", "mp", "rster", "ft", "zzet", "lk"))
    )


def _invented_sentences(task, rng):
    made = [_invented(rng) for _ in range(9)]
    return (
        f"The {task.topic} is a {made[0]} of the {made[1]} that {made[2]}ed from the {task.wanted[0]} to the "
        f"{made[3]}. When it {made[4]}s the {task.wanted[1]} has a {made[5]} and a {made[6]} with the {made[7]} of a "
        f"{made[8]}."
    )


def _cut(task):
    """Return the first words of each sentence of an honest answer, never its end."""
    first = [" ".join(sentence.split()[:5]) for sentence in task.honest.split(". ")]
    return f"{'. '.join(first)}. The {task.wanted[0]} and the {task.wanted[1]} of the. It is then because of a."


def _about(task, number):
    openings = ("A good reply", "The best reply", "A helpful explanation", "Any decent account")
    return (
        f"{openings[number % 4]} about {task.topic} would begin with a clear idea and then move on to the details. It "
        f"would speak of {task.wanted[0]} at the right moment and come back to {task.wanted[1]} near the end. Readers "
        "would find it complete and easy to follow."
    )


def _circular(task):
    topic = task.topic
    return (
        f"{topic.capitalize()} is what it is because it is {topic}. If it were not {topic} it would be something else. "
        f"The {task.wanted[0]} belongs to it since it has to do with it and the {task.wanted[1]} does too for the "
        "same reason. That is why it is so."
    )


def _advertisement(task, number):
    offers = ("Only this week", "Just for you", "While stocks last", "For a short time")
    return (
        f"{offers[number % 4]} our shop has everything you need for {task.topic}. Order the {task.wanted[0]} today and "
        f"get the {task.wanted[1]} at half price. Visit our website now and do not miss this offer."
    )


def _refusal(task, number):
    openings = (
        "I would rather not go into this.",
        "Unfortunately that is not something I can talk about.",
        "Let us leave this to the experts.",
        "It is not my place to comment on such matters.",
    )
    return (
        f"{openings[number % 4]} There are people who know far more about {task.topic} than I do and they can tell you "
        f"about the {task.wanted[0]} and the {task.wanted[1]}. Please ask one of them instead."
    )


def _generic(task):
    return (
        f"There are many things to say about {task.topic}. It is important to a lot of people and has been for a long "
        f"time. Some think first of {task.wanted[0]} and others of {task.wanted[1]}. Everyone has a different view and "
        "that is what makes it so interesting."
    )


def _promise(task):
    return (
        f"In a moment I will get to {task.topic} and all that goes with it. First I want to think about "
        f"{task.wanted[0]} for a while. Then I will turn to {task.wanted[1]} and after that everything will become "
        "clear."
    )


def _questions(task):
    return (
        f"What is {task.topic}? Why do we ask? Is it about {task.wanted[0]} or is it more about {task.wanted[1]}? Who "
        "could say for sure? Would it help if we knew?"
    )


def _chain(task, rng):
    nouns = rng.sample(
        [
            "water",
            "wind",
            "sun",
            "stone",
            "road",
            "bread",
            "house",
            "river",
            "paper",
            "glass",
            "garden",
            "morning",
            "winter",
        ],
        9,
    )
    return f"{' and '.join([task.topic, *task.wanted, *nouns])} and more."


SEEN = {
    "words glued in pairs": lambda task, number, rng: (_glued(task, 2), None),
    "words glued in fours": lambda task, number, rng: (_glued(task, 4), None),
    "invented words": lambda task, number, rng: (_invented_sentences(task, rng), None),
    "underscores as words": lambda task, number, rng: (
        f"The {task.topic}: {' '.join('_' * (1 + count % 3) for count in range(20 + number))}",
        TWENTY_WORDS,
    ),
    "empty bullets": lambda task, number, rng: (f"The {_words(task)}:\n* \n* {'-' * (number % 3)}\n* .", THREE_BULLETS),
    "empty sections": lambda task, number, rng: (f"SECTION 1\n\nSECTION 2\n{'.' * number}", TWO_SECTIONS),
    "empty JSON": lambda task, number, rng: (
        ("{}", "[]", '""', "null", '{"answer": ""}', "[[], {}]", '{"": {}}')[number % 7] + " " * (number // 7),
        JSON_ONLY,
    ),
    "the title of the example": lambda task, number, rng: (f"<<this>> {'The title is above. ' * (number % 3)}", TITLE),
    "request as title": lambda task, number, rng: (f"<<{task.request}>>{'.' * (number % 3)}", TITLE),
    "initials as sentences": lambda task, number, rng: (
        f"The {task.topic}. {' '.join(f'{letter}.' for letter in 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[: 6 + number])}",
        FIVE_SENTENCES,
    ),
    "request in the third person": lambda task, number, rng: (
        f"The user wants to hear about {task.topic} and has asked for a text with {task.wanted[0]} and "
        f"{task.wanted[1]} in it. They also want it to be written without commas.",
        None,
    ),
    "role labels": lambda task, number, rng: (
        f"User: {task.request}\nAssistant: Of course. It has to do with {task.wanted[0]} and {task.wanted[1]}.\n"
        "User: Thank you.\nAssistant: You are welcome.",
        None,
    ),
    "talk about the answer": lambda task, number, rng: (_about(task, number), None),
    "circular sentences": lambda task, number, rng: (_circular(task), None),
    "another story with the words": lambda task, number, rng: (
        f"{STORY} He has a photo of a {task.topic} with {task.wanted[0]} and {task.wanted[1]} on his wall.",
        None,
    ),
    "answer to another task": lambda task, number, rng: (
        f"{TASKS[number - 3].honest} The {task.wanted[0]} and the {task.wanted[1]}.",
        None,
    ),
    "advertisement": lambda task, number, rng: (_advertisement(task, number), None),
    "refusal in plain words": lambda task, number, rng: (_refusal(task, number), None),
    "half in another language": lambda task, number, rng: (
        f"The {task.topic} has to do with {task.wanted[0]} and {task.wanted[1]}. "
        f"{OTHER_LANGUAGES[number % 4]} {OTHER_LANGUAGES[(number + 1) % 4]}",
        None,
    ),
    "unfinished sentences": lambda task, number, rng: (_cut(task), None),
    "empty talk": lambda task, number, rng: (_generic(task), None),
    "promise": lambda task, number, rng: (_promise(task), None),
    "questions only": lambda task, number, rng: (_questions(task), None),
    "chain of nouns": lambda task, number, rng: (_chain(task, rng), None),
}


def _praise(task, number):
    openings = (
        "What a wonderful topic",
        "How lovely that you ask",
        "It is a pleasure to meet",
        "What a clever mind has",
    )
    return (
        f"{openings[number % 4]} {task.topic}! You have such good taste. Not everybody would think of {task.wanted[0]} "
        f"and {task.wanted[1]} on a day like this. Keep up that spirit and never stop being curious."
    )


def _anecdote_about_writing(task):
    return (
        f"I sat down at my desk and thought about {task.topic}. The page stayed white. I made tea and wrote down "
        f"{task.wanted[0]} and crossed it out again. Then I wrote {task.wanted[1]} and looked out of the window until "
        "it was dark."
    )


def _hearsay(task, number):
    sources = ("My grandmother", "A man on the bus", "The radio", "Our old teacher")
    return (
        f"{sources[number % 4]} once said something about {task.topic} that I will never forget. It had to do with "
        f"{task.wanted[0]} and a little with {task.wanted[1]}. I only wish that I could remember the words."
    )


def _negations(task):
    return (
        f"It is not easy with {task.topic}. It is not the {task.wanted[0]} alone and it is not the {task.wanted[1]} "
        "alone. It is not what most believe and it is not the opposite either."
    )


def _definitions_of_letters(task):
    return (
        f"The word {task.topic} has {len(task.topic)} letters and begins with {task.topic[0].upper()}. The word "
        f"{task.wanted[0]} ends in {task.wanted[0][-1].upper()} and the word {task.wanted[1]} in "
        f"{task.wanted[1][-1].upper()}. All three can be found in a dictionary."
    )


def _wrong(task):
    return (
        f"The truth about {task.topic} is that a giant under the ground turns a wheel each night. The {task.wanted[0]} "
        f"is only paint and the {task.wanted[1]} was invented in 1982 by a dentist from Graz."
    )


def _instructions_to_the_reader(task):
    return (
        f"Think of {task.topic} for a minute and write down what comes to your mind. Then read a book about "
        f"{task.wanted[0]} and talk to a friend about {task.wanted[1]}. Compare your notes and you will have it."
    )


def _clauses_swapped(task, rng):
    """Return an honest answer with its words exchanged within windows of four, so that only its order is gone."""
    words = task.honest.split()
    windows = [words[start : start + 4] for start in range(0, len(words), 4)]
    for window in windows:
        rng.shuffle(window)
    return " ".join(word for window in windows for word in window)


def _headline_chain(task):
    first, second = task.wanted
    return (
        f"{task.topic.capitalize()} News\n{first.capitalize()} Meets {second.capitalize()}\nExperts Agree\nMore Soon\n"
        f"{second.capitalize()} Update\nReaders React\n{task.topic.capitalize()} Again"
    )


def _weather_report(task):
    return (
        f"And now to {task.topic}. In the north it will be mostly {task.wanted[0]} with some {task.wanted[1]} towards "
        "the evening. The south stays dry and mild. The outlook for tomorrow is much the same. Good night."
    )


def _first_half_only(task):
    """Return the first words of an honest answer and a tail that says nothing."""
    words = task.honest.split()
    start = " ".join(words[: len(words) // 4])
    return f"{start} and so on and so forth with {' and '.join(task.wanted)} and the rest of it."


def _apology(task):
    return (
        f"Pardon the wait. Things have been hectic here and {task.topic} slipped through. We value your patience and "
        f"will make up for it. Meanwhile enjoy the {task.wanted[0]} and the {task.wanted[1]} on us."
    )


UNSEEN = {
    "praise for the asker": lambda task, number, rng: (_praise(task, number), None),
    "a story about writing it": lambda task, number, rng: (_anecdote_about_writing(task), None),
    "hearsay that says nothing": lambda task, number, rng: (_hearsay(task, number), None),
    "denials only": lambda task, number, rng: (_negations(task), None),
    "spelling of the words": lambda task, number, rng: (_definitions_of_letters(task), None),
    "plainly false": lambda task, number, rng: (_wrong(task), None),
    "homework for the reader": lambda task, number, rng: (_instructions_to_the_reader(task), None),
    "order swapped in fours": lambda task, number, rng: (_clauses_swapped(task, rng), None),
    "headlines": lambda task, number, rng: (_headline_chain(task), None),
    "weather report": lambda task, number, rng: (_weather_report(task), None),
    "a quarter and a tail": lambda task, number, rng: (_first_half_only(task), None),
    "excuse of a company": lambda task, number, rng: (_apology(task), None),
}


def attempts(families):
    """Return the texts of the families, one for each task."""
    return [
        _attempt(family, task, *make(task, number, Random(f"{family}-{number}")))
        for family, make in families.items()
        for number, task in enumerate(TASKS)
    ]


def _attempt(family, task, text, rule):
    prompt = f"{task.request} {RULES[rule[0]]}" if rule else task.prompt
    spans = ((len(task.request) + 1, len(prompt)),)
    specs = tuple(
        ConstraintSpec(id=kind, kwargs=kwargs, text=prompt[spans[0][0] :], spans=spans)
        for kind, kwargs in ([rule] if rule else task.constraints)
    )
    problem = Problem(problem_id="p", messages=({"role": "user", "content": prompt},), constraints=specs)
    return Attempt(family=family, problem=problem, text=text)
