"""The ledger: every sample is accounted for, none twice, and a resume undoes what came later."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rl.common.errors import RunFailure
from rl.rollouts.data_order import REFILL
from rl.rollouts.ledger import Ledger, LedgerTotals
from rl.rollouts.types import RolloutRequest


def make_request(position: int, groups: int = 1) -> RolloutRequest:
    return RolloutRequest(position=position, prompts=((7,),) * groups, num_generations=4, version=0, seed=0)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite", num_generations=4)


def train_whole(ledger: Ledger, position: int, groups: int = 1) -> None:
    """Record every event of a request that is trained."""
    work, samples = make_request(position, groups), dict.fromkeys(range(position, position + groups), 4)
    ledger.dispatch(work, [f"problem-{position}" for position in samples])
    ledger.sampled(work, "worker-0")
    ledger.rewarded(dict.fromkeys(samples, (0.0, 1.0, 1.0, 0.5)))
    ledger.trained(samples)


def test_totals__count_what_is_neither_trained_nor_dropped_as_pending(ledger):
    train_whole(ledger, 0, groups=2)
    ledger.dispatch(make_request(2), ["c"])
    ledger.dispatch(make_request(3), ["d"])
    ledger.drop_request(make_request(3), "hung three times")
    # 4 groups of 4: two trained, one dropped, one out
    assert ledger.totals() == LedgerTotals(dispatched=16, trained=8, dropped=4)
    assert ledger.totals().pending == 4
    assert ledger.pending() == {2: 4}
    assert ledger.verify({2: 4}) == ledger.totals()


def test_verify__allows_a_group_to_be_trained_in_parts(ledger):
    ledger.dispatch(make_request(0), ["a"])
    ledger.sampled(make_request(0), "worker-0")
    ledger.rewarded({0: (1.0,) * 4})
    ledger.trained({0: 1})
    ledger.trained({0: 2})
    assert ledger.verify({0: 1}).pending == 1


@pytest.mark.parametrize(
    ("in_flight", "expected"),
    [
        ({}, r"of group 1 \(problem b\) 4 samples should be in flight, but 0 are"),
        ({1: 3}, r"of group 1 \(problem b\) 4 samples should be in flight, but 3 are"),
        ({1: 4, 9: 4}, r"of group 9 \(problem unknown\) 0 samples should be in flight, but 4 are"),
    ],
)
def test_verify__compares_pending_with_what_is_in_flight(ledger, in_flight, expected):
    train_whole(ledger, 0)
    ledger.dispatch(make_request(1), ["b"])
    with pytest.raises(RunFailure, match=expected):
        ledger.verify(in_flight)


def test_verify__refuses_a_sample_trained_twice(ledger):
    train_whole(ledger, 0)
    ledger.trained({0: 1})
    with pytest.raises(RunFailure, match=r"do not add up: position 0, problem problem-0, .*trained 5"):
        ledger.verify({})


def test_verify__refuses_training_without_sampling(ledger):
    ledger.dispatch(make_request(0), ["a"])
    ledger.trained({0: 4})
    with pytest.raises(RunFailure, match="do not add up"):
        ledger.verify({})


def test_verify_no_gaps__names_a_group_never_dispatched(ledger):
    train_whole(ledger, 0)
    train_whole(ledger, 2)
    ledger.verify({})
    with pytest.raises(RunFailure, match="group 1 of the data order was never dispatched"):
        ledger.verify_no_gaps(range(3))


def test_reissued__changes_no_total(ledger):
    ledger.dispatch(make_request(0), ["a"])
    ledger.reissued(make_request(0), "worker-1: died")
    assert ledger.totals() == LedgerTotals(dispatched=4, trained=0, dropped=0)


def test_describe__names_step_and_problems(ledger):
    ledger.step = 3
    ledger.dispatch(make_request(4, groups=2), ["a", "b"])
    assert ledger.describe(make_request(4, groups=2)) == "groups 4 to 5 (policy version 0), step 3, problem a, b"


def test_rewind__undoes_later_events_and_counts_trained_samples(ledger):
    ledger.step = 1
    train_whole(ledger, 0)
    ledger.dispatch(make_request(1), ["b"])  # ahead, for step 2
    ledger.step = 2
    ledger.sampled(make_request(1), "worker-0")
    ledger.rewarded({1: (1.0,) * 4})
    ledger.trained({1: 4})
    ledger.step = 3
    train_whole(ledger, 2)

    assert ledger.rewind(1) == 8
    assert ledger.totals() == LedgerTotals(dispatched=8, trained=4, dropped=0)
    assert ledger.pending() == {1: 4}
    assert ledger.step == 2
    assert ledger.rewind(1) == 0


def test_dispatch__after_a_resume_counts_a_pending_group_once(ledger):
    ledger.dispatch(make_request(0), ["a"])
    ledger.rewind(1)
    ledger.dispatch(make_request(0), ["a"])
    assert ledger.totals() == LedgerTotals(dispatched=4, trained=0, dropped=0)


def test_ledger__is_read_by_a_second_process(ledger):
    train_whole(ledger, 0)
    assert Ledger(ledger.path, num_generations=4).totals() == ledger.totals()


KILLED = """
import os, signal, sys
from pathlib import Path
from rl.rollouts.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]), num_generations=4)
ledger.trained({0: 3})
with ledger._transaction():
    ledger._file.execute("INSERT INTO events VALUES (1, 0, 'trained', 1, NULL, 0.0, 0)")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_ledger__loses_only_the_transaction_under_way_to_a_kill(ledger):
    ledger.dispatch(make_request(0), ["a"])
    ledger.sampled(make_request(0), "worker-0")
    ledger.rewarded({0: (1.0,) * 4})
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(ledger.path)],
        cwd=Path(__file__).parents[3],
        env=os.environ,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    assert ledger.totals() == LedgerTotals(dispatched=4, trained=3, dropped=0)


def test_record__full_disk_is_one_sentence_and_loses_nothing_before(ledger):
    train_whole(ledger, 0)
    [(pages,)] = ledger._rows("PRAGMA page_count")
    ledger._rows(f"PRAGMA max_page_count = {pages}")  # as on a disk without a free block
    with pytest.raises(RunFailure, match=r"the ledger .*ledger\.sqlite could not be written: database or disk is full"):
        ledger.dispatch(make_request(1, groups=400), ["a problem's id" * 20] * 400)
    assert ledger.totals() == LedgerTotals(dispatched=4, trained=4, dropped=0)


def test_mean_rewards__are_those_of_the_groups_below_a_position_and_in_their_places(ledger):
    ledger.dispatch(make_request(0, groups=3), ["a", "b", "c"])
    ledger.sampled(make_request(0, groups=3), "worker-0")
    ledger.rewarded({0: (0.0, 1.0, 1.0, float("nan")), 1: (0.5,) * 4, 2: (float("nan"),) * 4})
    ledger.dispatch(make_request(REFILL + 1), ["d"])  # replaces group 1
    ledger.sampled(make_request(REFILL + 1), "worker-0")
    ledger.rewarded({REFILL + 1: (0.1, 0.2, 0.3, 0.4)})
    assert ledger.mean_rewards(before=1) == [("a", 2 / 3)]
    assert sorted(ledger.mean_rewards(before=3)) == [("a", 2 / 3), ("b", 0.5), ("d", 0.25)]
    ledger.rewind(0)
    assert ledger.mean_rewards(before=3) == []
