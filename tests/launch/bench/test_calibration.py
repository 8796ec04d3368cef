"""`heed bench calibration`: the same needle tests with and without."""

from attention_probes.calibration import Calibration
from launch.bench.calibration import bench_calibration


def test_bench_calibration__compares_test_by_test(tmp_path):
    path = tmp_path / "calibration.json"
    Calibration(heads=((0, 0),), threshold=0.02, min_queries=4).save(path)
    rows = bench_calibration("tiny", path, needles=4)
    assert [(row["measure"], row["needles"]) for row in rows] == [("accuracy", 4), ("likelihood", 4)]
    assert all(row["low"] <= row["difference"] <= row["high"] for row in rows)


def test_bench_calibration__without_heads_changes_nothing(tmp_path):
    off = tmp_path / "off.json"
    Calibration(heads=()).save(off)
    for row in bench_calibration("tiny", off, needles=4):
        assert row["difference"] == row["low"] == row["high"] == 0.0
