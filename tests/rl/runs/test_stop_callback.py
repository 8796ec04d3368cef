"""Stop callback: the first signal asks for a save, a second Ctrl-C stops, and afterwards signals mean what they did."""

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


def test_without_a_signal__training_continues(callback):
    assert after_a_step(callback) == (False, False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal__finishes_the_step_and_saves(callback, number, capsys):
    os.kill(os.getpid(), number)
    assert callback.interrupted
    assert after_a_step(callback) == (True, True)
    assert "Press Ctrl-C again to stop at once" in capsys.readouterr().out


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_second_signal__only_ctrl_c_stops_at_once(callback, first):
    os.kill(os.getpid(), first)
    os.kill(os.getpid(), signal.SIGTERM)  # the scheduler's, and once more from the process that started the ranks
    assert after_a_step(callback) == (True, True)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_handlers__are_put_back_after_training(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    callback = StopCallback(tmp_path)
    callback.on_train_begin(None, None, TrainerControl())
    assert signal.getsignal(signal.SIGINT) == callback._handle
    callback.on_train_end(None, None, TrainerControl())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_sigterm__gives_a_hanging_step_up_after_its_grace(callback):
    callback.grace = 0.01
    with pytest.raises(RunFailure, match=r"not done and saved within run.grace=0.01 s of SIGTERM"):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()  # a step that hangs; the alarm ends it
    assert callback.preempted


def test_sigterm__keeps_a_step_that_ends_in_time(callback):
    os.kill(os.getpid(), signal.SIGTERM)
    callback.on_train_end(None, None, TrainerControl())
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_ctrl_c__is_no_preemption(callback):
    os.kill(os.getpid(), signal.SIGINT)
    assert callback.interrupted
    assert not callback.preempted
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_file__stops_once_as_a_signal_does(callback, number):
    request_stop(callback.folder, number)
    assert after_a_step(callback) == (True, True)
    assert callback.signal == number
    assert consume_stop_request(callback.folder) is None


def test_stop_file__an_empty_one_is_a_ctrl_c(tmp_path):
    (tmp_path / STOP).touch()
    assert consume_stop_request(tmp_path) == signal.SIGINT


def test_handlers__are_not_installed_outside_the_main_thread(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    callback = StopCallback(tmp_path)
    begin = threading.Thread(target=callback.on_train_begin, args=(None, None, TrainerControl()))
    begin.start()
    begin.join()
    assert signal.getsignal(signal.SIGTERM) == before
