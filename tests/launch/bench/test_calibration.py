"""`heed bench calibration`: the same texts with and without."""

from attention_probes.calibration import Calibration
from data.writing import write_rows
from launch.bench.calibration import bench_calibration


def test_bench_calibration__compares_test_by_test(tmp_path):
    path = tmp_path / "calibration.json"
    Calibration(heads=((0, 0),), threshold=0.02, min_queries=4).save(path)
    rows = bench_calibration("tiny", path, num_texts=4)
    assert [(row["measure"], row["texts"]) for row in rows] == [("accuracy", 4), ("likelihood", 4)]
    assert all(row["low"] <= row["difference"] <= row["high"] for row in rows)


def test_bench_calibration__without_heads_changes_nothing(tmp_path):
    off = tmp_path / "off.json"
    Calibration(heads=()).save(off)
    for row in bench_calibration("tiny", off, num_texts=4):
        assert row["difference"] == row["low"] == row["high"] == 0.0


def test_bench_calibration__reads_the_answers_of_a_file(tmp_path):
    off, rows = tmp_path / "off.json", [{"question": "3 + 4?", "answer": "It is <<3+4=7>>7.\n#### 7"}] * 5
    Calibration(heads=()).save(off)
    data = write_rows(rows, tmp_path / "gsm8k.jsonl")
    assert [row["texts"] for row in bench_calibration("tiny", off, data=data, num_texts=64)] == [5, 5]
