"""No text that games the rules or the guards is paid as much as an honest answer."""

import runpy
from pathlib import Path
from time import process_time

import pytest

from rewards.guards import (
    distinct_words,
    few_repetitions,
    guarded,
    length_range,
    no_filler,
    on_topic,
    own_words,
    plain_characters,
    prose,
)
from rewards.satisfaction import mean_satisfied
from rewards.verifiers import verify

HERE = Path(__file__).parent / "gaming"
TASKS = runpy.run_path(str(HERE / "tasks.py"))["TASKS"]
GAMES = runpy.run_path(str(HERE / "attacks.py"))
ATTACKS, GUARD_ATTACKS, attack = GAMES["ATTACKS"], GAMES["GUARD_ATTACKS"], GAMES["attack"]
CASES = [pytest.param(family, number, id=f"{family}-{number}") for family in ATTACKS for number in range(len(TASKS))]


def satisfaction(task, text):
    return mean_satisfied([verify(kind, text, prompt=task.prompt, **kwargs) for kind, kwargs in task.constraints])


def total(task, text):
    guards = (
        on_topic(text, request=task.request),
        distinct_words(text),
        few_repetitions(text),
        length_range(text, minimum=15, maximum=60),
        plain_characters(text),
        own_words(text, prompt=task.prompt),
        prose(text),
        no_filler(text, prompt=task.prompt),
    )
    return guarded(satisfaction(task, text), guards)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.topic)
def test_an_honest_answer_is_paid_in_full(task):
    assert total(task, task.honest) == 1


@pytest.mark.parametrize(("family", "number"), CASES)
def test_an_attack_is_paid_less_than_an_honest_answer(family, number):
    text = attack(family, TASKS[number], number)
    start = process_time()
    paid = total(TASKS[number], text)
    assert paid < total(TASKS[number], TASKS[number].honest)
    assert process_time() - start < 20  # a pattern that backtracks would take hours


@pytest.mark.parametrize("family", GUARD_ATTACKS)
def test_without_guards_the_attack_would_be_paid(family):
    assert all(satisfaction(task, attack(family, task, number)) == 1 for number, task in enumerate(TASKS))


def test_there_are_enough_different_attacks():
    texts = {attack(family, task, number) for family in ATTACKS for number, task in enumerate(TASKS)}
    assert len(ATTACKS) >= 20 and len(texts) == len(CASES) >= 200
    assert len(GUARD_ATTACKS) * 3 >= len(ATTACKS)
