"""Threads: the sentence on how a machine's cores are shared."""

import pytest

from rl.common.threads import thread_use


@pytest.mark.parametrize(
    ("sizes", "end"),
    [
        ({"learning": 2, "workers": 2, "sampling": 1, "overlap": False}, "2 rollout workers with 1 each, by turns"),
        ({"learning": 2, "workers": 0, "sampling": 2, "overlap": False}, "sampling with as many, by turns"),
        ({"learning": 1, "workers": 1, "sampling": 1, "overlap": True}, "1 rollout workers with 1 each, at once"),
    ],
)
def test_thread_use__states_who_uses_which(sizes, end):
    assert thread_use(2, **sizes) == f"Threads on 2 cores: learning with {sizes['learning']}, {end}"


@pytest.mark.parametrize(
    ("sizes", "end"),
    [
        (
            {"learning": 2, "workers": 1, "sampling": 1, "overlap": False},
            "; 1 idle while sampling (rollouts.workers, rollouts.threads)",
        ),
        ({"learning": 1, "workers": 0, "sampling": 1, "overlap": False}, "; 1 idle while sampling (OMP_NUM_THREADS)"),
        (
            {"learning": 2, "workers": 2, "sampling": 2, "overlap": False},
            "; 4 threads compete for them (rollouts.threads, OMP_NUM_THREADS)",
        ),
        (
            {"learning": 2, "workers": 1, "sampling": 1, "overlap": True},
            "; 3 threads compete for them (rollouts.threads, OMP_NUM_THREADS)",
        ),
    ],
)
def test_thread_use__names_the_setting_that_would_use_them_better(sizes, end):
    assert thread_use(2, **sizes).endswith(end)
