"""User code that fails in the middle of a training: the error names the step, and where the run is saved."""

from pathlib import Path

import pytest

from launch.cli.main import main
from rl.common.errors import RunFailure
from rl.train import train
from tests.rl.grpo_fixtures import tiny_config

FAILING = """
def failing(completions, trainer_state, **columns):
    if trainer_state.global_step == 1:
        {raise_}
    return [float(index) for index in range(len(completions))]
"""
HUGE = """
def huge(completions, **columns):
    return [{value}] * len(completions)
"""


def config_with(folder: Path, name: str, code: str, **trainer):
    path = folder / f"{name}_reward.py"
    path.write_text(code)
    return tiny_config(
        rewards={"satisfaction_weight": 0.0, "functions": [f"{path}:{name}"]},
        trainer={"max_steps": 3, "save_steps": 1, "gradient_accumulation_steps": 1, "beta": 0.0, **trainer},
        run={"folder": str(folder / "run")},
    )


def test_user_code__an_error_of_the_system_is_a_failed_run_with_its_step(tmp_path):
    config = config_with(tmp_path, "failing", FAILING.format(raise_="open('/no/such/file')"))
    with pytest.raises(RunFailure) as raised:
        train(config)
    lines = str(raised.value).splitlines()
    assert lines[0] == "[Errno 2] No such file or directory: '/no/such/file'"
    assert lines[1].startswith("while rewarding problems train-")
    assert lines[2] == "in step 2"
    assert lines[3].startswith("The run is saved up to checkpoint-1; continue with: heed resume")


def test_user_code__a_bug_keeps_its_traceback_with_the_step(tmp_path):
    with pytest.raises(ZeroDivisionError) as raised:
        train(config_with(tmp_path, "failing", FAILING.format(raise_="1 / 0")))
    assert "in step 2" in raised.value.__notes__
    assert raised.value.__notes__[-1].startswith("The run is saved up to checkpoint-1")


@pytest.mark.parametrize(
    ("value", "words"), [("None", "step 3: huge gave no reward"), ("1e38", "step 1: the reward huge is 1e+38 for the")]
)
def test_user_code__rewards_without_signal_stop_the_run(value, words, tmp_path):
    with pytest.raises(RunFailure) as raised:
        train(config_with(tmp_path, "huge", HUGE.format(value=value)))
    assert str(raised.value).startswith(words)


def test_main__an_error_after_the_start_exits_with_code_one(monkeypatch, capsys):
    def fail(**_):
        error = RunFailure("the judge is away")
        error.add_note("in step 2")
        raise error

    monkeypatch.setattr("launch.cli.main.app", fail)
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "heed:\n  the judge is away\n  in step 2\n"
