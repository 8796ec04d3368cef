"""The routing benchmark: every form is timed, and one plain adapter is what the ratios are to."""

from transformers import LlamaConfig

from launch.bench.gates import FORMS, bench_gates
from rl.models.tiny_shape import TINY_SHAPE


def test_every_form_has_a_row_and_the_first_is_the_measure():
    rows = bench_gates(LlamaConfig(**TINY_SHAPE), batch_size=4, length=8, rounds=3)
    assert [row["adapters"] for row in rows] == list(FORMS)
    assert rows[0]["time_ratio"] == 1.0
    assert rows[0]["time_ratio_spread"] == [1.0, 1.0]
    assert all(row["seconds"] > 0 for row in rows)
