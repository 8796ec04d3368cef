"""Inputs: data and base model are digested when a run starts; changed ones are refused by name at a resume."""

import json
from pathlib import Path

import pytest

from rl.common.errors import UserError
from rl.config.root import Config
from rl.runs.inputs import INPUTS, check_evaluated, check_inputs, save_inputs
from tests.rl.grpo_fixtures import tiny_config

ROW = '{"prompt": "Describe the sea."}\n'


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A config of one data file, a base model in a folder and a reward, all in `tmp_path`."""
    (tmp_path / "rows.jsonl").write_text(ROW)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "mine.py").write_text("def reward(completions, **columns):\n    return [0.0] * len(completions)\n")
    return tiny_config(
        data={"path": str(tmp_path / "rows.jsonl"), "held_out": 0},
        model={"name": str(tmp_path / "model")},
        rewards={"functions": [f"{tmp_path / 'mine.py'}:reward"], "satisfaction_weight": 0.0},
    )


@pytest.fixture
def resumed(config: Config, tmp_path: Path) -> Config:
    """The config that resumes a run of it."""
    save_inputs(config, tmp_path / "run")
    return config.model_copy(update={"resume": tmp_path / "run"})


def test_check_inputs__takes_what_did_not_change(resumed, tmp_path):
    (tmp_path / "model" / "README.md").write_text("decides nothing")
    (tmp_path / "rows.jsonl").touch()
    check_inputs(resumed)


def test_check_inputs__names_grown_data_with_both_digests(resumed, tmp_path):
    (tmp_path / "rows.jsonl").write_text(ROW + ROW)
    with pytest.raises(UserError) as refused:
        check_inputs(resumed.model_copy(update={"run": resumed.run.model_copy(update={"accept_changed_code": True})}))
    # sha256sum of the two files
    assert str(refused.value) == (
        f"data.path: {tmp_path / 'rows.jsonl'} has changed since the run was started "
        "(sha256 179c4bb3064a then, 795663e2c408 now)\n"
        "restore them, or start a new run: this one would go on with other problems or weights"
    )


def test_check_inputs__names_each_file_of_the_base_model(resumed, tmp_path):
    model = tmp_path / "model"
    (model / "model.safetensors").write_bytes(b"Weights")
    (model / "config.json").unlink()
    (model / "chat_template.jinja").write_text("")
    with pytest.raises(UserError) as refused:
        check_inputs(resumed)
    sentences = str(refused.value).splitlines()[:3]
    assert sentences[0] == f"model.name: {model / 'chat_template.jinja'} was not there when the run was started"
    assert sentences[1] == f"model.name: {model / 'config.json'} is gone since the run was started"
    assert sentences[2].startswith(f"model.name: {model / 'model.safetensors'} has changed since the run was started ")


def test_check_inputs__names_missing_data(resumed, tmp_path):
    (tmp_path / "rows.jsonl").unlink()
    with pytest.raises(UserError, match=r"data\.path: there is no .*rows\.jsonl any more"):
        check_inputs(resumed)


def test_check_inputs__names_data_and_code_together(resumed, tmp_path):
    (tmp_path / "rows.jsonl").write_text("")
    (tmp_path / "mine.py").write_text("")
    with pytest.raises(UserError, match=r"(?s)data\.path: .*changed.*rewards\.functions: .*changed.*--accept"):
        check_inputs(resumed)


def test_save_inputs__keeps_what_the_run_was_started_with(resumed, tmp_path):
    before = (tmp_path / "run" / INPUTS).read_text()
    (tmp_path / "rows.jsonl").write_text("")
    save_inputs(resumed, tmp_path / "run")
    assert (tmp_path / "run" / INPUTS).read_text() == before


def test_check_inputs__takes_a_run_without_a_record(resumed, tmp_path):
    (tmp_path / "run" / INPUTS).unlink()
    (tmp_path / "rows.jsonl").write_text("")
    check_inputs(resumed)


def test_save_inputs__records_no_file_for_a_model_by_name(tmp_path):
    save_inputs(tiny_config(), tmp_path)
    assert json.loads((tmp_path / INPUTS).read_text()) == {}


def test_check_evaluated__says_that_code_has_changed(resumed, tmp_path, caplog):
    (tmp_path / "mine.py").write_text("")
    check_evaluated(resumed, tmp_path / "run", own_data=True)
    [said] = caplog.messages
    assert said.startswith(f"rewards.functions: {tmp_path / 'mine.py'} has changed since the run was started ")
    assert said.endswith("; the answers are judged by the new code")


def test_check_evaluated__refuses_changed_data_unless_other_is_given(resumed, tmp_path):
    (tmp_path / "rows.jsonl").write_text(ROW + ROW)
    with pytest.raises(UserError, match=r"(?s)rows\.jsonl has changed .*evaluate on other problems with --data"):
        check_evaluated(resumed, tmp_path / "run", own_data=True)
    check_evaluated(resumed, tmp_path / "run", own_data=False)
    (tmp_path / "model" / "config.json").write_text("[]")
    with pytest.raises(UserError, match=r"config\.json has changed .*\nrestore them$"):
        check_evaluated(resumed, tmp_path / "run", own_data=False)
