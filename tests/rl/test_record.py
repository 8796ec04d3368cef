"""The record: the best and the worst completion of each group, with what was seen of them."""

from typing import Any

import pytest

from data.problems import ConstraintSpec, Problem, to_row
from rl.journal import Journal, read_journal
from rl.record import RolloutRecorder, best_and_worst

PROBLEM = Problem(
    problem_id="sea",
    messages=({"role": "user", "content": "Describe the sea. Use no commas."},),
    constraints=(ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas.", spans=((18, 32),)),),
)


@pytest.fixture
def recorder(tmp_path) -> RolloutRecorder:
    return RolloutRecorder(Journal(tmp_path / "rollouts.jsonl"), num_generations=2)


def lines(recorder: RolloutRecorder) -> list[dict[str, Any]]:
    return read_journal(recorder.journal.path)


def begin(recorder: RolloutRecorder, *rewards: float, step: int = 0) -> None:
    texts = [f"wide, blue {index}" for index in range(len(rewards))]
    completions = [[{"role": "assistant", "content": text}] for text in texts]
    recorder.begin(step, [to_row(PROBLEM)] * len(rewards), completions, [[7, 8]] * len(rewards), list(rewards))


def weigh(recorder: RolloutRecorder, *rows: int) -> None:
    # padded to three tokens; the row's number is its advantage
    recorder.weigh(list(rows), [float(row) for row in rows], [[0.5, 1.5, 0.0]] * len(rows))


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [([0.1, 0.9, 0.5], (1, 0)), ([0.5, 0.5], None), ([1.0, 0.0, 1.0, 0.0], (0, 1)), ([0.2], None)],
)
def test_best_and_worst(rewards, expected):
    assert best_and_worst(rewards) == expected


def test_a_group_leaves_its_best_and_its_worst(recorder):
    begin(recorder, 0.25, 0.75, step=4)
    weigh(recorder, 0, 1)
    best, worst = lines(recorder)
    assert worst | {"which": "best", "completion": "wide, blue 1", "reward": 0.75, "advantage": 1.0} == best | {
        "verdicts": worst["verdicts"]
    }
    assert best["step"] == 5, "the optimizer step that the batch trains"
    assert (worst["which"], worst["completion"], worst["reward"]) == ("worst", "wide, blue 0", 0.25)
    assert worst["weights"] == [0.5, 1.5], "padding has none"
    assert worst["prompt"] == "Describe the sea. Use no commas."


def test_a_verdict_keeps_its_evidence(recorder):
    begin(recorder, 0.0, 1.0)
    weigh(recorder, 0, 1)
    # the comma of "wide, blue" is the evidence
    assert lines(recorder)[0]["verdicts"] == [
        {"id": "punctuation:no_comma", "spans": [[18, 32]], "satisfied": False, "margin": -1.0, "evidence": [[4, 5]]}
    ]


def test_a_group_of_equals_leaves_one(recorder):
    begin(recorder, 0.5, 0.5)
    weigh(recorder, 0, 1)
    assert [line["which"] for line in lines(recorder)] == ["equal"]


def test_rows_may_come_in_any_order_and_more_than_once(recorder):
    begin(recorder, 0.0, 1.0, 1.0, 0.0)
    weigh(recorder, 3, 0)
    assert lines(recorder) == [], "two of four rows are still to come"
    recorder.weigh([3], [99.0], [[9.0, 9.0, 0.0]])
    weigh(recorder, 2, 1)
    weigh(recorder, 0, 1, 2, 3)
    assert [(line["which"], line["advantage"]) for line in lines(recorder)] == [
        ("best", 1.0),
        ("worst", 0.0),
        ("best", 2.0),
        ("worst", 3.0),
    ]


def test_weights_of_an_unknown_batch_are_passed_over(recorder):
    # a resumed generation buffer: its batch began in the process that was killed
    weigh(recorder, 0, 1)
    assert lines(recorder) == []
