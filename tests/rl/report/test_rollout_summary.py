"""Rollout summary: one line, by hand."""

from rl.report.rollout_summary import rollout_summary


def test_rollout_summary__last_count_and_mean_staleness():
    steps = [
        {"step": 1, "ledger/dispatched": 8, "ledger/trained": 8, "ledger/dropped": 0, "ledger/pending": 0},
        {"step": 2, "sync/staleness_mean": 0.0, "sync/staleness_max": 0.0, "sync/restarted_workers": 1.0},
        {"step": 3, "sync/staleness_mean": 1.0, "sync/staleness_max": 2.0, "sync/restarted_workers": 0.0},
        {"step": 3, "ledger/dispatched": 1024, "ledger/trained": 1016, "ledger/dropped": 8, "ledger/pending": 0},
    ]
    assert rollout_summary(steps) == (
        "Of the first rank's 1,024 samples 1,016 were trained, 8 dropped, 0 pending. "
        "They were 0.5 steps stale on average. Workers were started again."
    )


def test_rollout_summary__synchronous_samples_are_never_stale():
    steps = [{"step": 1, "sync/staleness_mean": 0.0, "sync/staleness_max": 0.0}]
    assert rollout_summary(steps) == "None was stale."


def test_rollout_summary__a_run_without_rollouts_has_none():
    assert rollout_summary([{"step": 1, "loss": 0.5}]) == ""
