"""Collapse alarm: one line when texts collapse, silence otherwise."""

import pytest

from rewards.collapse import CollapseAlarm


def lines(values, **settings):
    alarm = CollapseAlarm(**settings)
    return [alarm.update({"mean_length": value}) for value in values]


def test_collapse_alarm__is_silent_until_both_windows_are_full():
    # the first two steps have mean 20; the last two have means 15 and then 10, half of it
    assert lines([20.0, 20.0, 20.0, 10.0, 10.0], window=2)[:4] == [None] * 4
    assert lines([20.0, 20.0, 20.0, 10.0, 10.0], window=2)[4] == (
        "collapse: mean_length fell from 20 to 10 (compared with the first 2 steps)"
    )


def test_collapse_alarm__names_every_value_that_fell():
    alarm = CollapseAlarm(window=1)
    alarm.update({"entropy": 2.0, "distinct_words": 0.8})
    assert "entropy fell from 2 to 0.5; distinct_words" in alarm.update({"entropy": 0.5, "distinct_words": 0.1})


def test_collapse_alarm__is_silent_for_growth():
    assert lines([10.0, 30.0, 90.0], window=1) == [None] * 3


def test_collapse_alarm__bad_settings_and_unknown_values_are_errors():
    with pytest.raises(ValueError, match="fall"):
        CollapseAlarm(fall=1.0)
    with pytest.raises(ValueError, match="window"):
        CollapseAlarm(window=0)
    with pytest.raises(ValueError, match="unknown values"):
        CollapseAlarm().update({"mean_lenght": 1.0})
