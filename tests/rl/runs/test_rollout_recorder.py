"""Rollout recorder: the best and the worst completion of each group, with their values per token."""

import math
from typing import Any

import pytest
import torch

from data.problems import ConstraintSpec, Problem
from data.verdicts import verdicts_for
from rl.runs.jsonl import JsonlFile, read_jsonl
from rl.runs.rollout_recorder import RolloutRecorder, best_and_worst
from rl.scoring.scorer import ScoredCompletion

PROBLEM = Problem(
    problem_id="sea",
    messages=({"role": "user", "content": "Describe the sea. Use no commas."},),
    constraints=(ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas.", spans=((18, 32),)),),
)


@pytest.fixture
def recorder(tmp_path) -> RolloutRecorder:
    return RolloutRecorder(JsonlFile(tmp_path / "rollouts.jsonl"), num_generations=2)


def lines(recorder: RolloutRecorder) -> list[dict[str, Any]]:
    return read_jsonl(recorder.log_file.path)


def begin(recorder: RolloutRecorder, *rewards: float, step: int = 1) -> None:
    texts = [f"wide, blue {index}" for index in range(len(rewards))]
    scored = [ScoredCompletion(problem=PROBLEM, text=text, verdicts=verdicts_for(PROBLEM, text)) for text in texts]
    recorder.begin_batch(step, scored, [[7, 8]] * len(rewards), list(rewards))


def record(recorder: RolloutRecorder, *rows: int, attention: torch.Tensor | None = None) -> None:
    # padded to three tokens; the row's number is its advantage
    weights = torch.tensor([[0.5, 1.5, 0.0]] * len(rows))
    values = {"weights": weights, "mask": weights > 0, "fai": weights / 300}
    recorder.record(list(rows), torch.tensor(rows, dtype=torch.float32), values, attention)


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ([0.1, 0.9, 0.5], (1, 0)),
        ([0.5, 0.5], None),
        ([1.0, 0.0, 1.0, 0.0], (0, 1)),
        ([0.2], None),
        ([math.nan, 1.0, 0.5], (1, 2)),
        ([math.nan] * 2, None),
    ],
)
def test_best_and_worst__are_none_for_equal_rewards(rewards, expected):
    assert best_and_worst(rewards) == expected


def test_recorder__writes_best_and_worst_of_a_group(recorder):
    begin(recorder, 0.25, 0.75, step=5)
    record(recorder, 0, 1)
    best, worst = lines(recorder)
    assert worst | {"which": "best", "completion": "wide, blue 1", "reward": 0.75, "advantage": 1.0} == best | {
        "verdicts": worst["verdicts"]
    }
    assert best["step"] == 5, "the optimizer step that the batch trains"
    assert (worst["which"], worst["completion"], worst["reward"]) == ("worst", "wide, blue 0", 0.25)
    assert worst["weights"] == [0.5, 1.5], "padding has none"
    assert worst["prompt"] == "Describe the sea. Use no commas."


def test_recorder__writes_the_evidence_of_verdicts(recorder):
    begin(recorder, 0.0, 1.0)
    record(recorder, 0, 1)
    # the comma of "wide, blue" is the evidence
    assert lines(recorder)[0]["verdicts"] == [
        {"id": "punctuation:no_comma", "spans": [[18, 32]], "satisfied": False, "margin": -1.0, "evidence": [[4, 5]]}
    ]


def test_recorder__rounds_readings(recorder):
    begin(recorder, 0.0, 1.0)
    record(recorder, 0, 1)
    best = lines(recorder)[0]
    assert (best["mask"], best["fai"]) == ([1.0, 1.0], [0.001667, 0.005])


def test_recorder__writes_attention_beside_its_constraint(recorder):
    begin(recorder, 0.0, 1.0)
    # two rows, two places for constraints (another prompt has two), three tokens with the padding
    attention = torch.tensor([[[1.0, 2.0, 9.0], [5.0, 5.0, 5.0]], [[3.0, 4.0, 9.0], [5.0, 5.0, 5.0]]])
    record(recorder, 0, 1, attention=attention)
    assert [line["verdicts"][0]["attention"] for line in lines(recorder)] == [[3.0, 4.0], [1.0, 2.0]]


def test_recorder__a_constraint_that_no_token_states_has_no_attention(recorder):
    begin(recorder, 0.0, 1.0)
    record(recorder, 0, 1, attention=torch.zeros(2, 1, 3))
    assert "attention" not in lines(recorder)[0]["verdicts"][0]


def test_recorder__writes_one_row_of_an_equal_group(recorder):
    begin(recorder, 0.5, 0.5)
    record(recorder, 0, 1)
    assert [line["which"] for line in lines(recorder)] == ["equal"]


def test_recorder__takes_rows_in_any_order_at_their_first_visit(recorder):
    begin(recorder, 0.0, 1.0, 1.0, 0.0)
    record(recorder, 3, 0)
    assert lines(recorder) == [], "two of four rows are still to come"
    recorder.record([3], torch.tensor([99.0]), {"weights": torch.tensor([[9.0, 9.0, 0.0]])})
    record(recorder, 2, 1)
    record(recorder, 0, 1, 2, 3)
    assert [(line["which"], line["advantage"]) for line in lines(recorder)] == [
        ("best", 1.0),
        ("worst", 0.0),
        ("best", 2.0),
        ("worst", 3.0),
    ]


def test_recorder__ignores_a_batch_begun_before_a_resume(recorder):
    # a resumed generation buffer: its batch began in the process that was killed
    record(recorder, 0, 1)
    assert lines(recorder) == []


def test_recorder__an_unscored_completion_is_never_the_worst_and_has_no_reward(recorder):
    recorder.num_generations = 3
    begin(recorder, math.nan, 0.75, 0.25, math.nan, math.nan, math.nan)
    record(recorder, *range(6))
    assert [(line["which"], line["reward"]) for line in lines(recorder)] == [
        ("best", 0.75),
        ("worst", 0.25),
        ("equal", None),
    ]
