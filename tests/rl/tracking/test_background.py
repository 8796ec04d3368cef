"""Background calls: in order, never waited for, and failing with one sentence."""

import threading

from rl.tracking.background import Background


def test_calls_are_made_in_order():
    seen, told = [], []
    background = Background("tracker", told.append)
    for number in range(100):
        background.call(seen.append, number)
    assert background.close(30.0)
    assert (seen, told) == (list(range(100)), [])


def test_a_failure_is_told_once_and_ends_the_rest():
    seen, told = [], []
    background = Background("tracker", told.append)

    def fail() -> None:
        raise OSError("No space left on device\nand more")

    background.call(seen.append, 1)
    background.call(fail)
    background.call(seen.append, 2)
    assert not background.close(30.0)
    background.call(seen.append, 3)
    assert seen == [1]
    assert told == ["tracker failed and is left out from here on (OSError: No space left on device)"]


def test_a_full_queue_drops_the_newest_and_says_so_once():
    seen, told = [], []
    working, free = threading.Event(), threading.Event()
    background = Background("tracker", told.append, capacity=2)

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
    assert told == ["tracker does not keep up: some of what it should show is left out"]


def test_a_call_that_hangs_is_not_waited_for_beyond_the_patience():
    told, free = [], threading.Event()
    background = Background("tracker", told.append)
    background.call(free.wait)
    assert not background.close(0.05)
    assert told == ["tracker has not finished within 0 s; the run goes on without it"]
    free.set()
