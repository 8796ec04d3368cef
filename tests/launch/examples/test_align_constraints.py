"""The example that aligns segments of a response with the constraints of its prompt."""

import pytest

from launch.examples.align_constraints import CONSTRAINTS, RESPONSE, main


def test_main__aligns_passages_of_the_response():
    pairs = main("tiny")
    assert pairs
    assert all(constraint in CONSTRAINTS and segment in RESPONSE for constraint, segment in pairs)


@pytest.mark.slow
def test_main__aligns_each_constraint_with_its_passage(smollm2_path):
    aligned = dict(main(str(smollm2_path)))
    assert list(aligned) == CONSTRAINTS
    assert "pears" in aligned[CONSTRAINTS[0]]
    assert "waves" in aligned[CONSTRAINTS[1]]
    assert "Which" in aligned[CONSTRAINTS[2]]
