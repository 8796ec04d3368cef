"""Gaming: no text that exploits the rules or the guards earns as much as an honest answer."""

import runpy
from pathlib import Path
from time import process_time

import pytest

from data.problems import ConstraintSpec, Problem
from data.verdicts import verdicts_for
from rewards.guards import apply_guards
from rewards.satisfaction import mean_satisfied
from rewards.verifiers import verify
from rl.config.rewards import RewardsConfig
from rl.scoring.guard_values import GUARDS

HERE = Path(__file__).parent / "gaming"
TASKS = runpy.run_path(str(HERE / "tasks.py"))["TASKS"]
HONEST = runpy.run_path(str(HERE / "honest.py"))["ANSWERS"]
MEASURE = runpy.run_path(str(HERE / "measure.py"))
README = (Path(__file__).parents[2] / "rewards" / "README.md").read_text(encoding="utf-8")
GAMES = runpy.run_path(str(HERE / "attacks.py"))
ATTACKS, GUARD_ATTACKS, attack = GAMES["ATTACKS"], GAMES["GUARD_ATTACKS"], GAMES["attack"]
CASES = [pytest.param(family, number, id=f"{family}-{number}") for family in ATTACKS for number in range(len(TASKS))]


def satisfaction(task, text):
    return mean_satisfied([verify(kind, text, prompt=task.prompt, **kwargs) for kind, kwargs in task.constraints])


EVERY_GUARD = RewardsConfig(guards=tuple(GUARDS), min_words=8)
"""Every guard that a recipe can name and that needs no model."""


def total(task, text, rewards=EVERY_GUARD):
    """Return the reward of a run with these settings."""
    specs = tuple(ConstraintSpec(id=kind, kwargs=kwargs, text="") for kind, kwargs in task.constraints)
    messages = ({"role": "user", "content": task.prompt},)
    problem = Problem(problem_id="p", messages=messages, constraints=specs, extras={"request": task.request})
    return apply_guards(satisfaction(task, text), [GUARDS[name](text, problem, rewards) for name in rewards.guards])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.topic)
def test_honest_answers__earn_the_full_reward(task):
    assert total(task, task.honest) == 1


@pytest.mark.parametrize("answer", HONEST, ids=lambda answer: answer.problem.problem_id)
def test_honest_answers__keep_their_rules(answer):
    assert all(verdict.satisfied for verdict in verdicts_for(answer.problem, answer.text))


def test_honest_answers__are_enough_and_distinct():
    assert len({answer.text for answer in HONEST}) == len(HONEST) >= 200
    assert len({answer.form for answer in HONEST}) >= 15


@pytest.mark.parametrize(("family", "number"), CASES)
def test_attacks__earn_less_than_honest_answers(family, number):
    text = attack(family, TASKS[number], number)
    start = process_time()
    assert total(TASKS[number], text) < total(TASKS[number], TASKS[number].honest)
    assert process_time() - start < 20  # a pattern that backtracks would take hours


@pytest.mark.parametrize("family", GUARD_ATTACKS)
def test_guard_attacks__would_earn_the_full_satisfaction_without_guards(family):
    assert TASKS and all(satisfaction(task, attack(family, task, number)) == 1 for number, task in enumerate(TASKS))


@pytest.mark.parametrize(
    ("guard", "family"),
    [
        ("few_repetitions", "both ways at once"),
        ("prose", "answer shuffled"),
        ("not_echo", "echo with a tail"),
        ("no_filler", "refusal"),
    ],
)
def test_guards__each_stops_an_attack_that_passes_the_others(guard, family):
    others = RewardsConfig(guards=tuple(name for name in GUARDS if name != guard), min_words=8)
    assert any(total(task, attack(family, task, number), others) == 1 for number, task in enumerate(TASKS))


def test_attacks__are_enough_and_distinct():
    texts = {attack(family, task, number) for family in ATTACKS for number, task in enumerate(TASKS)}
    assert len(ATTACKS) >= 20 and len(texts) == len(CASES) >= 200
    assert len(GUARD_ATTACKS) * 3 >= len(ATTACKS)


def test_honest_answers__lose_nothing_but_for_two_in_a_hundred():
    counts = MEASURE["low_guards"]().values()
    assert sum(count["any"] for count in counts) <= 0.02 * sum(count["answers"] for count in counts)


def test_attempts__are_four_hundred_in_thirty_families_a_third_of_them_unseen():
    seen, unseen = (MEASURE["ATTEMPTS"]["attempts"](MEASURE["ATTEMPTS"][name]) for name in ("SEEN", "UNSEEN"))
    assert len({attempt.family for attempt in seen + unseen}) >= 30
    assert len({(attempt.problem.messages[-1]["content"], attempt.text) for attempt in seen + unseen}) >= 400
    assert 3 * len(unseen) >= len(seen + unseen)


def test_seen_attempts__one_in_ten_is_paid_in_full():
    counts = MEASURE["earnings"](MEASURE["ATTEMPTS"]["SEEN"]).values()
    assert sum(count["in full"] for count in counts) <= 0.1 * sum(count["tried"] for count in counts)


def test_readme__its_tables_are_what_is_measured():
    families = MEASURE["ATTEMPTS"]["SEEN"], MEASURE["ATTEMPTS"]["UNSEEN"]
    tables = MEASURE["honest_table"](), *map(MEASURE["gaming_table"], families)
    hint = "print them anew with `python -m tests.rewards.gaming.measure`"
    assert all(table in README for table in tables), hint
