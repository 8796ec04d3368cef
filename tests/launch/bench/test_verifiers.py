"""The verifier bench: every kind takes part equally often, and the figures add up."""

from collections import Counter

import pytest

from data.constraints import KINDS
from launch.bench import verifiers


def test_the_kinds_go_round_evenly_and_no_completion_repeats():
    jobs = list(verifiers._jobs(2 * len(KINDS), 3, 0))
    drawn = Counter(spec.id for job in jobs for spec in job.constraints)
    assert drawn == dict.fromkeys(KINDS, 6)
    assert len({job.completion for job in jobs}) == len(jobs)


def test_the_figures_say_how_much_was_verified():
    figures = verifiers.bench_verifiers(completions=50, constraints=2)
    assert (figures["completions"], figures["checks"], figures["kinds"]) == (50, 100, 100)
    assert 0 < figures["satisfied"] < 100
    assert figures["cpu_seconds"] > 0 and len(figures["slowest_seconds"]) == verifiers.LISTED


def test_nothing_to_verify_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0 and 3"):
        verifiers.bench_verifiers(completions=0)
