"""`heed bench probes`: the form of a row, and bounds on the cost at the real shape."""

import copy

import pytest

from launch.bench import probes


def small_shape():
    config = copy.deepcopy(probes.SMOLLM2_SHAPE)
    config.update({"vocab_size": 64, "hidden_size": 36, "intermediate_size": 32, "num_hidden_layers": 3})
    return config


def test_bench_probes__compares_off_with_on_and_with_eager():
    (row,) = probes.bench_probes([40], rounds=2, config=small_shape())
    assert row["sequence_length"] == 40
    for mode in ("on", "eager"):
        low, high = row[f"time_ratio_{mode}_off_spread"]
        assert 0.0 < low <= row[f"time_ratio_{mode}_off"] <= high
        assert row[f"memory_ratio_{mode}_off"] >= 1.0


def test_bench_probes__leaves_out_maps_that_do_not_fit(monkeypatch):
    monkeypatch.setattr(probes, "_free_memory", lambda device: 0)
    (row,) = probes.bench_probes([40], rounds=1, config=small_shape())
    assert row["time_ratio_eager_off"] is None and row["memory_ratio_eager_off"] is None
    assert row["time_ratio_on_off"] > 0.0


@pytest.mark.exhaustive
def test_bench_probes__is_almost_free_on_the_real_shape():
    (row,) = probes.bench_probes([2048], rounds=3)
    assert row["time_ratio_on_off"] <= 1.06
    assert row["memory_ratio_on_off"] <= 1.10
