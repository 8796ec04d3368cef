"""Figures of a comparison, by hand."""

import pytest

from launch.bench.compare import BenchArm, area_under, compare, draw


def arm(rule: str, seed: int, *scores: float) -> BenchArm:
    return BenchArm(rule=rule, seed=seed, steps=[10 * place for place in range(len(scores))], scores=list(scores))


def test_the_area_is_the_mean_height_of_the_curve():
    # trapezoids over 10 steps each: (0 + 1) / 2 and (1 + 0.5) / 2, mean 0.625
    assert area_under(arm("uniform", 0, 0.0, 1.0, 0.5)) == pytest.approx(0.625)


ARMS = [
    arm("uniform", 0, 0.0, 0.5), arm("uniform", 1, 0.0, 0.7),
    arm("coupled", 0, 0.0, 0.6), arm("coupled", 1, 0.0, 0.8),
]  # fmt: skip


def test_a_rule_is_compared_seed_by_seed():
    uniform, coupled = compare(ARMS, ["uniform", "coupled"])
    assert (uniform.last, uniform.area, uniform.difference) == (pytest.approx(0.6), pytest.approx(0.3), None)
    assert coupled.difference == pytest.approx(0.1)
    # both differences are 0.1: no spread between seeds
    assert (coupled.low, coupled.high) == (pytest.approx(0.1), pytest.approx(0.1))


def test_a_missing_seed_is_an_error():
    with pytest.raises(ValueError, match=r"coupled has seeds \[0\], uniform has \[0, 1\]"):
        compare(ARMS[:-1], ["uniform", "coupled"])


def test_the_plot_is_a_picture(tmp_path):
    draw(ARMS, ["uniform", "coupled"], tmp_path / "credit.png")
    assert (tmp_path / "credit.png").read_bytes().startswith(b"\x89PNG")
