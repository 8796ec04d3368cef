"""Curves: what is drawn, under which heading, and how a long run is thinned."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl.report.curves import MAX_COLUMNS, curves, heading, kind_tables, metric_series, thin


def test_metric_series__leaves_out_what_is_no_curve():
    lines = [
        {"step": 1, "reward": 0.5, "epoch": 0.1, "credit/overlap": math.nan, "note": "text"},
        {"step": 2, "reward": 1.0, "train_loss": 0.3, "train_runtime": 12.0},
    ]
    assert metric_series(lines) == {"reward": [(1, 0.5), (2, 1.0)]}


def test_thin__merges_neighbours_into_their_mean_and_range():
    # five points at most two at a time: (1, 2, 3), (4, 5)
    curve = thin("reward", [(1, 0.0), (2, 3.0), (3, 6.0), (4, 1.0), (5, 2.0)], limit=2)
    assert (curve.steps, curve.values) == ((2.0, 4.5), (3.0, 1.5))
    assert (curve.low, curve.high) == ((0.0, 1.0), (6.0, 2.0))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=2000), st.integers(1, 300))
def test_thin__keeps_the_range_and_the_limit(values, limit):
    curve = thin("x", list(enumerate(values)), limit=limit)
    assert len(curve.steps) <= limit
    assert (min(curve.low), max(curve.high)) == (min(values), max(values))
    assert all(
        low - 1e-6 <= value <= high + 1e-6 for low, value, high in zip(curve.low, curve.values, curve.high, strict=True)
    )


def test_kind_tables__hold_the_constraints_which_are_no_curves():
    lines = [{"step": step, "constraint/case:upper/pass_rate": step / 4, "reward": 0.1} for step in (1, 2, 3, 4)]
    del lines[1]["constraint/case:upper/pass_rate"]
    assert [curve.name for curve in curves(lines)] == ["reward"]
    (row,) = kind_tables(lines)["pass_rate"]
    assert (row.kind, row.cells) == ("case:upper", (0.25, None, 0.75, 1.0))
    assert row.mean == pytest.approx(2.0 / 3.0)


def test_kind_tables__a_long_run_has_a_cell_for_each_part():
    lines = [{"step": step, "constraint/k/pass_rate": float(step > 500)} for step in range(1, 1001)]
    (row,) = kind_tables(lines)["pass_rate"]
    assert row.cells == (0.0,) * (MAX_COLUMNS // 2) + (1.0,) * (MAX_COLUMNS // 2)


@pytest.mark.parametrize(
    ("name", "under"),
    [
        ("reward", "Reward"),
        ("reward_std", "Reward"),
        ("rewards/constraints/mean", "Reward"),
        ("credit/gini", "Credit"),
        ("completions/mean_length", "Completions"),
        ("clip_ratio/low_mean", "Optimisation"),
        ("ledger/pending", "Rollouts and workers"),
        ("something/new", "Others"),
    ],
)
def test_heading__of_metrics(name, under):
    assert heading(name)[0] == under
