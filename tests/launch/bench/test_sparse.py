"""`heed bench sparse`: rows about passes over the same texts, dense and sparse."""

import pytest

from launch.bench.sparse import PLANS, bench_sparse, long_texts
from rl.models.load import load_tokenizer


def test_bench_sparse__has_a_row_for_each_length_and_plan():
    # The tiny model's two layers are the first two, which stay dense: nothing differs.
    rows = bench_sparse("tiny", (320, 400), plans=("window", "hip"), tests=2, block=16, blocks=2)
    assert [(row["tokens"], row["plan"]) for row in rows] == [
        (320, "window"),
        (320, "hip"),
        (400, "window"),
        (400, "hip"),
    ]
    assert all(row["agreement_p5"] == row["density"] == 1.0 and row["time_ratio"] > 0.0 for row in rows)
    assert all(row["needles"] == row["needles_dense"] for row in rows)


def test_long_texts__are_nearly_as_long_as_asked_for():
    texts = long_texts(load_tokenizer("tiny"), 900, 3)
    assert len({text.prompt for text in texts}) == 3
    assert all(800 <= len(text.prompt) + len(text.answer) <= 910 for text in texts)


def test_bench_sparse__refuses_an_unknown_plan():
    assert PLANS == ("window", "power", "blocks", "hip", "flexprefill")
    with pytest.raises(ValueError, match=r"--plan wide: the plans are window, power"):
        bench_sparse("tiny", (320,), plans=("wide",))
