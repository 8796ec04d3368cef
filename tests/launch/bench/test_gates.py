"""`heed bench gates`: every form is timed, and ratios are to one plain adapter."""

from transformers import LlamaConfig

from launch.bench.gates import FORMS, bench_gates
from rl.models.tiny_shape import TINY_SHAPE


def test_bench_gates__has_a_row_per_form_and_ratios_to_the_first():
    rows = bench_gates(LlamaConfig(**TINY_SHAPE), batch_size=4, length=8, rounds=3)
    assert [row["adapters"] for row in rows] == list(FORMS)
    assert rows[0]["time_ratio"] == 1.0
    assert rows[0]["time_ratio_spread"] == [1.0, 1.0]
    assert all(row["seconds"] > 0 for row in rows)
