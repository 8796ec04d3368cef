"""Benchmark metrics: prompt and instruction level, by kind, category and group, worked out by hand."""

import pytest

from rl.common.errors import UserError
from rl.common.intervals import bootstrap_ratio
from rl.evaluation.benchmarks.metrics import benchmark_metrics, differences


def record(name: str, *verdicts: tuple[bool, bool], level: int, thought: str = "") -> dict:
    return {
        "problem_id": name,
        "thinks": True,
        "thought": thought,
        "finished": bool(thought),
        "cut_off": False,
        "tokens": {"thought": 4, "answer": 6, "all": 10},
        "scores": {
            "prompt_strict": float(all(strict for strict, _ in verdicts)),
            "prompt_loose": float(all(loose for _, loose in verdicts)),
        },
        "constraints": [
            {"kind": f"kind{index}", "category": "format", "strict": strict, "loose": loose}
            for index, (strict, loose) in enumerate(verdicts)
        ],
        "groups": {"level": level},
    }


RECORDS = [
    record("a", (True, True), level=1, thought="x"),
    record("b", (False, True), (True, True), level=2, thought="x"),
    record("c", (False, False), (True, True), (False, True), level=2),
]


def test_benchmark_metrics__at_the_level_of_prompts_and_of_instructions():
    result = benchmark_metrics(RECORDS)
    means = {name: value["mean"] for name, value in result["metrics"].items()}
    # strictly one of three prompts and 3 of 6 instructions; loosely two prompts and 5 instructions
    assert means == pytest.approx(
        {"prompt_strict": 1 / 3, "prompt_loose": 2 / 3, "instruction_strict": 3 / 6, "instruction_loose": 5 / 6}
    )
    for value in result["metrics"].values():
        assert 0.0 <= value["low"] <= value["mean"] <= value["high"] <= 1.0
    assert result["kinds"]["kind0"] == {"strict": 1 / 3, "loose": 2 / 3, "of": 3}
    assert result["kinds"]["kind2"] == {"strict": 0.0, "loose": 1.0, "of": 1}
    assert result["categories"] == {"format": {"strict": 0.5, "loose": 5 / 6, "of": 6}}
    assert result["groups"]["level"]["1"]["prompt_strict"]["mean"] == 1.0
    assert result["groups"]["level"]["2"]["instruction_strict"]["mean"] == pytest.approx(2 / 5)
    assert (result["without_thought"], result["unfinished_thoughts"], result["thinking"]) == (1, 1, 1.0)
    assert result["tokens"] == {"thought": 4.0, "answer": 6.0, "all": 10.0}


def test_bootstrap_ratio__of_equal_shares_has_no_width():
    interval = bootstrap_ratio([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    assert (interval.low, interval.mean, interval.high) == (0.5, 0.5, 0.5)
    # the sum of the parts over that of the wholes, not the mean of the shares
    assert bootstrap_ratio([1.0, 0.0], [1.0, 3.0]).mean == 0.25
    with pytest.raises(ValueError, match="a whole above 0"):
        bootstrap_ratio([0.0], [0.0])


def test_differences__are_paired_by_prompt():
    better = [
        record("b", (True, True), (True, True), level=1),
        record("a", (True, True), level=1),
        record("c", (False, False), (True, True), (True, True), level=1),
    ]
    found = {name: value["mean"] for name, value in differences(better, RECORDS).items()}
    # b alone becomes strict; two more of six instructions are kept strictly, none loosely
    expected = {"prompt_strict": 1 / 3, "prompt_loose": 0.0, "instruction_strict": 2 / 6, "instruction_loose": 0.0}
    assert found == pytest.approx(expected)
    with pytest.raises(UserError, match="different prompts"):
        differences(better[:2], RECORDS)
