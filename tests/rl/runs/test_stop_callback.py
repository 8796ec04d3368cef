"""Stop callback: the first signal asks for a save, the second stops, and afterwards signals mean what they did."""

import os
import signal
import threading

import pytest
from transformers import TrainerControl

from rl.common.errors import RunFailure
from rl.runs.signals import STOP, consume_stop_request, request_stop
from rl.runs.stop_callback import StopCallback


@pytest.fixture
def callback(tmp_path):
    callback = StopCallback(tmp_path)
    callback.on_train_begin(None, None, TrainerControl())
    yield callback
    callback.uninstall()


def after_a_step(callback: StopCallback) -> tuple[bool, bool]:
    control = TrainerControl()
    callback.on_step_end(None, None, control)
    return control.should_save, control.should_training_stop


def test_without_a_signal_training_goes_on(callback):
    assert after_a_step(callback) == (False, False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_and_saves(callback, number, capsys):
    os.kill(os.getpid(), number)
    assert callback.interrupted
    assert after_a_step(callback) == (True, True)
    assert "Press Ctrl-C again to stop at once" in capsys.readouterr().out


def test_a_second_signal_stops_at_once(callback):
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_signals_are_given_back(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    callback = StopCallback(tmp_path)
    callback.on_train_begin(None, None, TrainerControl())
    assert signal.getsignal(signal.SIGINT) == callback._handle
    callback.on_train_end(None, None, TrainerControl())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_sigterm_leaves_the_step_only_so_much_time(callback):
    callback.grace = 0.01
    with pytest.raises(RunFailure, match=r"not done and saved within run.grace=0.01 s of SIGTERM"):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()  # a step that hangs; the alarm ends it
    assert callback.preempted


def test_a_step_that_ends_in_time_is_not_given_up(callback):
    os.kill(os.getpid(), signal.SIGTERM)
    callback.on_train_end(None, None, TrainerControl())
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_ctrl_c_is_no_preemption(callback):
    os.kill(os.getpid(), signal.SIGINT)
    assert callback.interrupted
    assert not callback.preempted
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_file_stops_as_a_signal_does_once(callback, number):
    request_stop(callback.folder, number)
    assert after_a_step(callback) == (True, True)
    assert callback.signal == number
    assert consume_stop_request(callback.folder) is None


def test_a_touched_stop_file_is_a_ctrl_c(tmp_path):
    (tmp_path / STOP).touch()
    assert consume_stop_request(tmp_path) == signal.SIGINT


def test_outside_the_main_thread_there_are_no_signals_to_take(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    callback = StopCallback(tmp_path)
    begin = threading.Thread(target=callback.on_train_begin, args=(None, None, TrainerControl()))
    begin.start()
    begin.join()
    assert signal.getsignal(signal.SIGTERM) == before
