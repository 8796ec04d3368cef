"""Probe plots: the readings of one recorded completion, drawn for trackers that store images."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure
from torch import tensor

from attention_probes.html_page import ConstraintCurve, ProbePage, TokenReading
from attention_probes.plots import constraint_plot, rhythm_plot
from attention_probes.rhythm import RhythmSettings, find_rhythm
from rl.config.credit import CreditConfig

READINGS = {"weights": "credit", "fai": "FAI", "waad": "WAAD"}
"""Name in a record -> name in the plot."""


def probe_plots(record: dict[str, Any], spans: Sequence[tuple[int, int]], credit: CreditConfig) -> dict[str, Figure]:
    """Return the plots `rhythm` and `constraints` of a recorded completion, each only if its readings are there.

    The tokens are at `spans` of the completion's text; `credit` decides which of them are anchors and preplan tokens.
    """
    plots = {}
    if "fai" in record and any(record["mask"]):
        plots["rhythm"] = rhythm_plot(_page(record, spans, credit))
    if curves := [_curve(verdict) for verdict in record["verdicts"] if "attention" in verdict]:
        plots["constraints"] = constraint_plot(curves)
    return plots


def _page(record: dict[str, Any], spans: Sequence[tuple[int, int]], credit: CreditConfig) -> ProbePage:
    readings = [TokenReading(name=name, meaning="", values=tuple(record[key])) for key, name in READINGS.items()]
    return ProbePage(
        title=f"step {record['step']}, {record['problem_id']}: {record['which']} of its group",
        tokens=tuple(record["completion"][start:stop] for start, stop in spans),
        num_prompt_tokens=0,
        readings=tuple(readings),
        marks=_marks(record, credit),
        layers=(),
    )


def _marks(record: dict[str, Any], credit: CreditConfig) -> dict[str, tuple[int, ...]]:
    waad, fai, mask = (tensor([record[name]]) for name in ("waad", "fai", "mask"))
    settings = RhythmSettings(
        q=credit.q, reach=credit.reach, waad_quantile=credit.waad_quantile, delta_quantile=credit.delta_quantile
    )
    return find_rhythm(waad, fai, mask.bool(), settings).positions()


def _curve(verdict: dict[str, Any]) -> ConstraintCurve:
    mean = fmean(verdict["attention"])
    return ConstraintCurve(name=verdict["id"], values=tuple(verdict["attention"]), mean=mean, attended=mean >= 1.0)
