"""Comparison of arms, by hand."""

import pytest

from launch.bench.compare import BenchArm, area_under, compare, comparison_table, plot_curves


def arm(name: str, seed: int, *scores: float) -> BenchArm:
    return BenchArm(name=name, seed=seed, steps=[10 * index for index in range(len(scores))], scores=list(scores))


def test_area_under__is_the_mean_height_of_the_curve():
    # trapezoids over 10 steps each: (0 + 1) / 2 and (1 + 0.5) / 2, mean 0.625
    assert area_under(arm("uniform", 0, 0.0, 1.0, 0.5)) == pytest.approx(0.625)


ARMS = [
    arm("uniform", 0, 0.0, 0.5), arm("uniform", 1, 0.0, 0.7),
    arm("coupled", 0, 0.0, 0.6), arm("coupled", 1, 0.0, 0.8),
]  # fmt: skip


def test_compare__pairs_arms_by_seed():
    uniform, coupled = compare(ARMS, ["uniform", "coupled"])
    assert (uniform.last, uniform.area, uniform.difference) == (pytest.approx(0.6), pytest.approx(0.3), None)
    assert coupled.difference == pytest.approx(0.1)
    # both differences are 0.1: no spread between seeds
    assert (coupled.low, coupled.high) == (pytest.approx(0.1), pytest.approx(0.1))


def test_compare__refuses_a_missing_seed():
    with pytest.raises(ValueError, match=r"coupled has seeds \[0\], uniform has \[0, 1\]"):
        compare(ARMS[:-1], ["uniform", "coupled"])


def test_comparison_table__shows_the_difference_to_the_baseline():
    table = comparison_table(compare(ARMS, ["uniform", "coupled"]), baseline="uniform", seeds=2)
    assert [list(column.cells) for column in table.columns] == [
        ["uniform", "coupled"], ["0.600", "0.700"], ["0.300", "0.350"], ["", "+0.100"], ["", "[+0.100, +0.100]"]
    ]  # fmt: skip


def test_plot_curves__writes_a_png(tmp_path):
    plot_curves(ARMS, ["uniform", "coupled"], tmp_path / "credit.png")
    assert (tmp_path / "credit.png").read_bytes().startswith(b"\x89PNG")
