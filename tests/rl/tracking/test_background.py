"""Background thread: calls in order, never waited for, and failures reported in one sentence."""

import threading

from rl.tracking.background import BackgroundThread


def test_call__in_order():
    seen, warnings = [], []
    background = BackgroundThread("tracker", warnings.append)
    for number in range(100):
        background.call(seen.append, number)
    assert background.close(30.0)
    assert (seen, warnings) == (list(range(100)), [])


def test_call__a_failure_is_reported_once_and_ends_the_rest():
    seen, warnings = [], []
    background = BackgroundThread("tracker", warnings.append)

    def fail() -> None:
        raise OSError("No space left on device\nand more")

    background.call(seen.append, 1)
    background.call(fail)
    background.call(seen.append, 2)
    assert not background.close(30.0)
    background.call(seen.append, 3)
    assert seen == [1]
    assert warnings == ["tracker failed and is left out from here on (OSError: No space left on device)"]


def test_call__a_full_queue_drops_the_newest_and_says_so_once():
    seen, warnings = [], []
    working, free = threading.Event(), threading.Event()
    background = BackgroundThread("tracker", warnings.append, capacity=2)

    def hang() -> None:
        working.set()
        assert free.wait(30.0)

    background.call(hang)
    assert working.wait(30.0)
    for number in range(5):
        background.call(seen.append, number)
    free.set()
    assert background.close(30.0)
    assert seen == [0, 1]
    assert warnings == ["tracker does not keep up: some of what it should show is left out"]


def test_close__waits_no_longer_than_its_timeout():
    warnings, free = [], threading.Event()
    background = BackgroundThread("tracker", warnings.append)
    background.call(free.wait)
    assert not background.close(0.05)
    assert warnings == ["tracker has not finished within 0 s; the run goes on without it"]
    free.set()
