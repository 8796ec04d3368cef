"""Evaluation command: a run gives the result of its training, a model is evaluated on given data."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from attention_probes.calibration import Calibration
from rl.common.errors import UserError
from rl.evaluation.command import evaluate_command


@pytest.fixture
def problems(tmp_path) -> str:
    rows = [
        {
            "problem_id": name,
            "prompt": f"Describe the {name}. Use no commas.",
            "constraints": [{"id": "punctuation:no_comma"}],
        }
        for name in ("sea", "sky")
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_evaluate_command__a_run_gives_the_result_of_its_training(finished_run, tmp_path, capsys):
    result = evaluate_command(str(finished_run.folder), None, tmp_path / "result.json")
    summary = json.loads((finished_run.folder / "summary.json").read_text())
    assert result == {name: summary[name] for name in ("before", "after", "gain")} | {"semantics": "reward"}
    assert json.loads((tmp_path / "result.json").read_text()) == result
    assert "95 % interval" in capsys.readouterr().out


def test_evaluate_command__a_run_on_other_data(finished_run, problems):
    result = evaluate_command(str(finished_run.folder), problems)
    assert result["gain"]["num_problems"] == 2
    assert result["semantics"] == "eval"


def test_evaluate_command__a_model_on_given_data(problems, capsys):
    result = evaluate_command("tiny", problems)
    assert result["model"]["kinds"]["punctuation:no_comma"]["of"] == 2
    assert "punctuation:no_comma" in capsys.readouterr().out


def test_evaluate_command__answers_with_calibrated_attention(problems, tmp_path):
    plain, path = evaluate_command("tiny", problems)["model"], tmp_path / "calibration.json"
    Calibration(heads=()).save(path)
    assert evaluate_command("tiny", problems, calibration=path)["model"] == plain
    for content, message in ((None, "none"), (((9, 0),), r"names heads \[\(9, 0\)\]")):
        if content is not None:
            Calibration(heads=content).save(path)
        with pytest.raises(ValueError, match=rf"model\.calibration=.*{message}"):
            evaluate_command("tiny", problems, calibration=path if content else tmp_path / "none.json")


def test_evaluate_command__a_model_without_data_is_an_error():
    with pytest.raises(ValueError, match=r"tiny is no run folder.*name some with --data"):
        evaluate_command("tiny", None)


def test_evaluate_command__a_run_without_an_adapter_is_an_error(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run.folder, run, ignore=shutil.ignore_patterns("adapters"))
    with pytest.raises(ValueError, match="the run has not finished; continue it with heed resume "):
        evaluate_command(str(run), None)


def test_evaluate_command__an_adapter_of_other_names_is_not_scored_as_the_base(finished_run, problems, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run.folder, run)
    weights = run / "adapters" / "default" / "adapter_model.safetensors"
    save_file({name.replace("self_attn", "attention"): one for name, one in load_file(weights).items()}, weights)
    with pytest.raises(UserError, match=r"adapters/default does not fit the model's adapter: it has no tensor "):
        evaluate_command(str(run), problems)
