"""`heed bench verifiers`: every kind is drawn equally often, and the counts add up."""

from collections import Counter

import pytest

from data.constraints import KINDS
from launch.bench import verifiers


def test_jobs__draw_kinds_evenly_and_repeat_no_completion():
    jobs = list(verifiers._jobs(2 * len(KINDS), 3, 0))
    drawn = Counter(spec.id for job in jobs for spec in job.constraints)
    assert drawn == dict.fromkeys(KINDS, 6)
    assert len({job.completion for job in jobs}) == len(jobs)


def test_bench_verifiers__counts_what_was_verified():
    result = verifiers.bench_verifiers(completions=50, constraints=2)
    assert (result["completions"], result["checks"], result["kinds"]) == (50, 100, 100)
    assert 0 < result["satisfied"] < 100
    assert result["cpu_seconds"] > 0 and len(result["slowest_seconds"]) == verifiers.NUM_SLOWEST


def test_bench_verifiers__refuses_nothing_to_verify():
    with pytest.raises(ValueError, match="at least 1, got 0 and 3"):
        verifiers.bench_verifiers(completions=0)
