"""`heed bench calibration`: the same items with and without, and the number that an answer ends with."""

import pytest

from attention_probes.calibration import Calibration
from data.benchmarks.judging import last_number
from data.writing import write_rows
from launch.bench.calibration import bench_calibration


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("So 3 + 4 = 7.", 7.0),
        ("It costs $1,250 in all", 1250.0),
        ("#### -18", -18.0),
        ("2.5 miles", 2.5),
        ("none", None),
    ],
)
def test_last_number__of_an_answer(text, number):
    assert last_number(text) == number


def test_bench_calibration__compares_item_by_item(tmp_path):
    path = tmp_path / "calibration.json"
    Calibration(heads=((0, 0),), threshold=0.02, min_queries=4).save(path)
    prompts = [{"prompt": f"Say {word}.", "constraints": [{"id": "punctuation:no_comma"}]} for word in ("yes", "no")]
    sums = [{"question": f"{number} and 1?", "answer": f"#### {number + 1}"} for number in range(3)]
    rows = bench_calibration(
        "tiny",
        path,
        ifeval=write_rows(prompts, tmp_path / "prompts.jsonl"),
        gsm8k=write_rows(sums, tmp_path / "sums.jsonl"),
        needles=4,
        max_tokens=4,
        batch_size=2,
    )
    items = {row["benchmark"]: row["items"] for row in rows}
    assert items == {"needles, accuracy": 4, "needles, likelihood": 4, "ifeval": 2, "gsm8k": 3}
    assert all(row["low"] <= row["difference"] <= row["high"] for row in rows)
    off = tmp_path / "off.json"
    Calibration(heads=()).save(off)
    for row in bench_calibration("tiny", off, needles=4):
        assert row["difference"] == row["low"] == row["high"] == 0.0
