"""Texts: what is written is read back, number by number, and nothing else is."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.feasibility.answer import Unreadable
from rewards.feasibility.findings import findings
from rewards.feasibility.problems import PROBLEMS
from rewards.feasibility.texts import read, write
from tests.rewards.feasibility.solutions import any_solution, drawn_instance

KINDS = st.sampled_from(["plain", "stepwise"])


@settings(max_examples=60, deadline=None)
@given(st.data(), KINDS)
def test_read__gives_back_what_was_written(data, kind):
    instance = drawn_instance(data)
    solution = data.draw(any_solution(instance.problem))
    answer = read(instance, write(instance, solution, kind), kind)
    assert answer.solution == solution and answer.wrong == ()


@settings(max_examples=60, deadline=None)
@given(st.data(), KINDS)
def test_read__has_a_span_for_every_number(data, kind):
    instance = drawn_instance(data)
    solution = data.draw(any_solution(instance.problem))
    text = write(instance, solution, kind)
    answer = read(instance, text, kind)
    numbers = {match.span() for match in re.finditer(r"-?(?<![0-9])[0-9]+", re.sub(" - ", " + ", text))}
    if kind == "plain":
        assert {span for place, span in answer.steps.items() if place != (-1, -1)} == numbers
        return
    choices = sum(map(len, solution))
    assert set(answer.right) <= numbers and len(numbers - set(answer.right)) == choices
    for (row, at), (start, end) in answer.steps.items():
        assert row < 0 or str(solution[row][at]) in re.findall("[0-9]+", text[start:end])


@settings(max_examples=60, deadline=None)
@given(st.data(), KINDS)
def test_read__a_truncated_text_is_unreadable(data, kind):
    instance = drawn_instance(data)
    solution = data.draw(any_solution(instance.problem))
    text = write(instance, solution, kind)
    last = text.rfind("\n") + 1
    cut = text[: data.draw(st.integers(0, max(last - 1, 0) if kind == "stepwise" else len(text) - 1))]
    assert isinstance(read(instance, cut, kind), Unreadable)
    assert not any(verdict.satisfied for verdict in findings(instance, cut, kind).values())


def cvrp():
    # a square of side 3: 0 at the origin, 1 at its right, 2 above that, 3 above the origin; the diagonal is 4.24, so 4
    return PROBLEMS["cvrp"](points=((0, 0), (3, 0), (3, 3), (0, 3)), demands=(0, 2, 3, 4), capacity=6)


def test_write__tells_the_running_totals():
    assert write(cvrp(), ((1, 2), (3,)), "plain") == "[[1, 2], [3]]"
    assert write(cvrp(), ((1, 2), (3,)), "stepwise").splitlines() == [
        "route 1",
        "visit 1: load 0 + 2 = 2, way 0 + 3 = 3",
        "visit 2: load 2 + 3 = 5, way 3 + 3 = 6",
        "back: way 6 + 4 = 10",
        "route 2",
        "visit 3: load 0 + 4 = 4, way 10 + 3 = 13",
        "back: way 13 + 3 = 16",
        "length 16",
    ]


def test_write__preferences_are_taken_off():
    instance = PROBLEMS["pvrp_preferences"](
        points=((0, 0), (0, 3)), demands=(0, 5), capacity=10, worths=((0, 2), (0, 9))
    )
    assert write(instance, ((1, 1),), "stepwise").splitlines() == [
        "vehicle 1",
        "visit 1: load 0 + 5 = 5, cost 0 + 3 - 9 = -6",
        "back: cost -6 + 3 = -3",
        "cost -3",
    ]


def test_write__shops_start_when_job_and_machine_are_free():
    # job 1 runs 0-1 and 1-5; job 0 begins at 1 and ends at 4 on machine 0, on machine 1 it waits for 5 and ends at 7
    flow = PROBLEMS["flow_shop"](times=((3, 2), (1, 4)))
    assert write(flow, ((1, 0),), "stepwise").splitlines() == [
        "job 1", "machine 0: 0 + 1 = 1", "machine 1: 1 + 4 = 5",
        "job 0", "machine 0: 1 + 3 = 4", "machine 1: 5 + 2 = 7", "makespan 7",
    ]  # fmt: skip
    shop = PROBLEMS["job_shop"](machines=((0, 1), (1, 0)), times=((3, 2), (4, 1)))
    assert write(shop, ((0, 0), (1, 1), (1, 0), (0, 1)), "stepwise").splitlines() == [
        "job 0 on machine 0: 0 + 3 = 3", "job 1 on machine 1: 0 + 4 = 4",
        "job 1 on machine 0: 4 + 1 = 5", "job 0 on machine 1: 4 + 2 = 6", "makespan 6",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["[[1, 2], [3]] ", "\n[ [1,2],[3] ]", "[[1, 2],\n [3]]"], ids=["end", "dense", "lines"]
)
def test_read__white_space_in_a_plain_text_is_free(text):
    assert read(cvrp(), text, "plain").solution == ((1, 2), (3,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        "[[1, 2]",
        "[[1, 2],]",
        "[[1,, 2]]",
        "[[1 2]]",
        "[[-1]]",
        "[[1.5]]",
        "So: [[1]]",
        "[[1]] [[2]]",
        "[[[1]]]",
    ],
)
def test_read__other_lists_are_unreadable(text):
    assert isinstance(read(cvrp(), text, "plain"), Unreadable)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("route 2\n", ""),
        ("back: way 6 + 4 = 10\n", ""),
        ("length 16", "length"),
        ("length 16", "length 16\nlength 16"),
        ("length 16", "length 16\nGood!"),
        ("route 1\n", ""),
        ("0 + 2 = 2", "0+2=2"),
        ("visit 1", "visit 01"),
        ("visit 1", "visit -1"),
        ("visit 1", " visit 1"),
        ("back:", "\n back:"),
        ("route 2\n", "route 2 "),
    ],
)
def test_read__other_lines_are_unreadable(old, new):
    text = write(cvrp(), ((1, 2), (3,)), "stepwise")
    assert old in text
    assert isinstance(read(cvrp(), text.replace(old, new), "stepwise"), Unreadable)


def test_read__empty_lines_are_free():
    text = write(cvrp(), ((1, 2), (3,)), "stepwise")
    assert read(cvrp(), text.replace("\n", " \n\n") + "\n", "stepwise").solution == ((1, 2), (3,))
