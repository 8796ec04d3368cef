"""The account in one line."""

from rl.report.account import account


def test_the_last_count_and_the_staleness_of_all_steps():
    steps = [
        {"step": 1, "ledger/dispatched": 8, "ledger/trained": 8, "ledger/dropped": 0, "ledger/pending": 0},
        {"step": 2, "sync/staleness_mean": 0.0, "sync/staleness_max": 0.0, "sync/restarted_workers": 1.0},
        {"step": 3, "sync/staleness_mean": 1.0, "sync/staleness_max": 2.0, "sync/restarted_workers": 0.0},
        {"step": 3, "ledger/dispatched": 1024, "ledger/trained": 1016, "ledger/dropped": 8, "ledger/pending": 0},
    ]
    assert account(steps) == (
        "Of the first rank's 1,024 samples 1,016 were trained, 8 dropped, 0 pending. "
        "They were 0.5 steps stale on average. Workers were started again."
    )


def test_synchronous_samples_are_never_stale():
    assert account([{"step": 1, "sync/staleness_mean": 0.0, "sync/staleness_max": 0.0}]) == "None was stale."


def test_a_run_without_rollouts_has_none():
    assert account([{"step": 1, "loss": 0.5}]) == ""
