"""Probe plots: they show what a record holds."""

from rl.config.credit import CreditConfig
from rl.tracking.probe_plots import probe_plots
from tests.rl.report.run_fixtures import make_record

SPANS = [(0, 1), (1, 2), (2, 3)]
READ = {"fai": [0.5, 0.0, 0.1], "waad": [1.0, 5.0, 4.0], "mask": [1.0, 1.0, 1.0]}
VERDICT = {**make_record()["verdicts"][0], "attention": [0.5, 1.0, 3.0]}


def test_probe_plots__rhythm_stands_below_the_credit():
    rhythm = probe_plots(make_record(**READ), SPANS, CreditConfig(q=0.3))["rhythm"]
    assert [panel.get_ylabel() for panel in rhythm.axes] == ["credit", "FAI", "WAAD"]
    fai = rhythm.axes[1]
    assert [bar.get_height() for bar in fai.patches] == READ["fai"]
    # one token in three: the jump of WAAD from 1 to 5 and the highest FAI, both at token 0
    marks = {line.get_label(): list(line.get_xdata()) for line in fai.lines}
    assert marks == {"preplan": [0], "anchors": [0]}
    assert [label.get_text() for label in rhythm.axes[2].get_xticklabels()] == ["a", ",", "b"]


def test_probe_plots__a_constraint_with_readings_has_a_curve():
    plots = probe_plots(make_record(**READ, verdicts=[VERDICT]), SPANS, CreditConfig())
    curve = plots["constraints"].axes[0].lines[1]
    assert (curve.get_label(), list(curve.get_ydata())) == ("punctuation:no_comma", [0.5, 1.0, 3.0])


def test_probe_plots__what_was_not_read_is_left_out():
    assert probe_plots(make_record(), SPANS, CreditConfig()) == {}
    assert probe_plots(make_record(**READ), SPANS, CreditConfig()).keys() == {"rhythm"}
    assert probe_plots(make_record(**{**READ, "mask": [0.0] * 3}), SPANS, CreditConfig()) == {}, (
        "nothing of it is trained"
    )
    assert probe_plots(make_record(verdicts=[VERDICT]), SPANS, CreditConfig()).keys() == {"constraints"}
