"""Indicator alarm: one line when attention is no longer what it was, whichever way it moved."""

import io

import pytest
from rich.console import Console
from transformers import TrainerControl, TrainerState

from rl.runs.jsonl import JsonlFile, read_jsonl
from rl.tracking.indicator_alarm import IndicatorAlarm, is_indicator

SINK = "probe/sink_mass/layers_0-1"


@pytest.mark.parametrize(("later", "told"), [(0.61, True), (0.19, True), (0.59, False), (0.21, False)])
def test_alarm__goes_off_once_when_an_indicator_has_moved_by_the_share(tmp_path, later, told):
    # Ten steps at 0.4, of which half is 0.2: up to 0.6 and down to 0.2 nothing is said.
    log_file, printed = JsonlFile(tmp_path / "metrics.jsonl"), io.StringIO()
    state = TrainerState(is_world_process_zero=True)

    def log(metrics: dict) -> None:
        log_file.append({"step": state.global_step, **metrics})

    alarm = IndicatorAlarm(0.5, log, log_file.path, Console(file=printed, no_color=True))
    alarm.on_train_begin(None, state, TrainerControl())
    for state.global_step, value in enumerate([0.4] * 10 + [later] * 8, start=1):
        alarm.on_log(None, state, TrainerControl(), logs={SINK: value, "probe/fai_mean": 9.0 * state.global_step})
    lines = printed.getvalue().splitlines()
    assert len(lines) == told
    if told:
        assert lines[0].startswith("step 15: attention has moved: sink_mass/layers_0-1 went from 0.4 to")
        [line] = read_jsonl(log_file.path)
        assert line["step"] == 15 and line["attention_moved"] in lines[0]


def test_is_indicator__by_name():
    assert is_indicator(SINK)
    assert not is_indicator("probe/fai_mean") and not is_indicator("credit/entropy/layers_0-1")
