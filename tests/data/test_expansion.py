"""Prompt expansion: prompts depend on seed and index only, and each constraint has a span."""

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.conflicts import conflict
from data.constraints import KINDS, SHORT_KINDS
from data.expansion import instruction_problem, leveled_problem
from data.instructions import instructions
from data.problems import request, user_text
from data.witness import witness
from rewards.verifiers import check_arguments, verify

PATTERNS = ("listing", "incorporation", "example")
indices = st.integers(min_value=0, max_value=10**6)
quick = settings(deadline=None, max_examples=50)
seeds = st.integers(min_value=0, max_value=99)
patterns = st.sampled_from(PATTERNS)
splits = st.sampled_from(["train", "held_out"])
plain = st.fixed_dictionaries(
    {"split": splits, "max_constraints": st.integers(min_value=1, max_value=4), "pattern": patterns}
)
leveled = st.fixed_dictionaries({"split": splits, "level": st.integers(min_value=1, max_value=4), "pattern": patterns})


def make_problem(seed, index, changes):
    make = leveled_problem if "level" in changes else instruction_problem
    return make(seed, index, **changes)


def test_instruction_problem__has_any_number_of_constraints_between_the_two():
    kinds = [
        "content:starts_with",
        "detectable_content:postscript",
        "detectable_format:title",
        "punctuation:no_comma",
        "keywords:frequency",
    ]
    numbers = [
        len(instruction_problem(1, index, kinds=kinds, min_constraints=3, max_constraints=5).constraints)
        for index in range(60)
    ]
    assert set(numbers) == {3, 4, 5}


@quick
@given(seed=seeds, index=indices, before=st.lists(indices, max_size=3))
def test_instruction_problem__depends_on_seed_and_index_only(seed, index, before):
    alone = instruction_problem(seed, index)
    for other in before:
        instruction_problem(seed, other)
    assert instruction_problem(seed, index) == alone


def test_instruction_problem__is_the_same_in_another_process():
    code = "from data.expansion import instruction_problem as p; print(repr([p(3, i) for i in range(5)]))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {repr([instruction_problem(3, index) for index in range(5)]) + "\n"}


@quick
@given(seed=seeds, index=indices, changes=plain | leveled)
def test_drawn_problems__spans_hold_the_words_of_the_constraint(seed, index, changes):
    problem = make_problem(seed, index, changes)
    text = user_text(problem)
    spans = sorted(span for spec in problem.constraints for span in spec.spans)
    assert spans and all(text[start:end] == spec.text for spec in problem.constraints for start, end in spec.spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    for spec in problem.constraints:
        phrasings = [phrase.lower() for phrase in KINDS[spec.id].phrasings(spec.kwargs)]
        assert spec.text.lower() in phrasings and len(spec.spans) == 1


@quick
@given(seed=seeds, index=indices, changes=plain)
def test_instruction_problem__request_is_a_base_instruction_of_the_split(seed, index, changes):
    problem = make_problem(seed, index, changes)
    split = problem.problem_id.split("-")[0]
    assert request(problem) in {instruction.text for instruction in instructions(split)}
    assert request(problem) in user_text(problem)


@quick
@given(seed=seeds, index=indices, changes=plain | leveled)
def test_drawn_problems__verifiers_accept_every_constraint(seed, index, changes):
    problem = make_problem(seed, index, changes)
    for spec in problem.constraints:
        check_arguments(spec.id, spec.kwargs)


@quick
@given(seed=seeds, index=indices, changes=plain | leveled)
def test_drawn_problems__can_be_satisfied(seed, index, changes):
    problem = make_problem(seed, index, changes)
    constraints = [(spec.id, spec.kwargs) for spec in problem.constraints]
    assert all(conflict(one, other) is None for one, other in combinations(constraints, 2))
    answer = witness(constraints)
    assert constraints and answer is not None
    assert not any(verify(kind, answer, prompt="", **kwargs).satisfied is False for kind, kwargs in constraints)


@quick
@given(seed=seeds, index=indices, changes=leveled)
def test_leveled_problem__level_is_the_number_of_main_categories(seed, index, changes):
    problem = make_problem(seed, index, changes)
    assert len({KINDS[spec.id].category for spec in problem.constraints}) == problem.extras["level"]
    counts = Counter(KINDS[spec.id].category for spec in problem.constraints)
    assert max(counts.values()) <= 2 and counts["language"] <= 1


@quick
@given(seed=seeds, index=indices, changes=plain)
def test_instruction_problem__number_of_constraints_is_in_range(seed, index, changes):
    problem = make_problem(seed, index, changes)
    assert 1 <= len(problem.constraints) <= 4
    assert len({spec.id for spec in problem.constraints}) == len(problem.constraints)


def test_instruction_problem__held_out_stream_starts_with_distinct_instructions():
    assert len({request(instruction_problem(5, index, split="held_out")) for index in range(100)}) == 100


def test_instruction_problem__every_epoch_uses_every_instruction_once():
    count = len(instructions("train"))
    for epoch in (0, 1):
        drawn = {request(instruction_problem(5, epoch * count + index)) for index in range(count)}
        assert drawn == {instruction.text for instruction in instructions("train")}


def test_instruction_problem__draws_all_short_kinds_about_equally_often():
    counts = Counter(spec.id for index in range(1500) for spec in instruction_problem(0, index).constraints)
    assert set(counts) == set(SHORT_KINDS) and len(SHORT_KINDS) >= 14
    assert max(counts.values()) < 2 * min(counts.values())


def test_instruction_problem__draws_only_the_given_kinds():
    kinds = ["punctuation:no_comma", "length:word_range"]
    drawn = {spec.id for index in range(20) for spec in instruction_problem(0, index, kinds=kinds).constraints}
    assert drawn == set(kinds)


def test_instruction_problem__order_of_the_kinds_does_not_matter():
    forward = instruction_problem(0, 7, kinds=["punctuation:no_comma", "length:word_range"])
    assert instruction_problem(0, 7, kinds=["length:word_range", "punctuation:no_comma"]) == forward


def test_instruction_problem__example_satisfies_the_constraints():
    problem = instruction_problem(0, 3, pattern="example")
    before = user_text(problem)[: problem.constraints[0].spans[0][0]]
    answer = re.search(r"(?:A|Answer|Example answer): (.*?)\n\n", before, re.DOTALL)
    assert answer is not None
    assert all(verify(spec.id, answer[1], prompt="", **spec.kwargs).satisfied for spec in problem.constraints)


@pytest.mark.parametrize(
    ("arguments", "argument_error"),
    [
        ({"kinds": []}, "no constraint kinds to draw from"),
        ({"kinds": ["punctuation:no_coma"]}, "the nearest is 'punctuation:no_comma'"),
        ({"max_constraints": 0}, "max_constraints must be at least 1, got 0"),
        ({"min_constraints": 0}, "min_constraints must be at least 1, got 0"),
        ({"min_constraints": 4}, "max_constraints must be at least 4, got 3"),
    ],
)
def test_instruction_problem__bad_settings_are_errors(arguments, argument_error):
    with pytest.raises(ValueError, match=argument_error):
        instruction_problem(0, 0, **arguments)


def test_leveled_problem__level_beyond_the_categories_is_an_error():
    with pytest.raises(ValueError, match="level must be between 1 and 1"):
        leveled_problem(0, 0, level=2, kinds=["punctuation:no_comma"])
