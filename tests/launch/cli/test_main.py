"""The command line: quick where nothing is computed, one sentence where the user erred, a traceback where we did."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from launch.cli.main import main
from rl.common.errors import USER_ERRORS
from rl.config.root import Config


def heed(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


@pytest.fixture
def train_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Config], Path]], None]:
    """Puts a body in the place of the real training."""
    return lambda body: monkeypatch.setitem(sys.modules, "rl.train", SimpleNamespace(train=body))


NOTHING_COMPUTED = """
import sys
from launch.cli.main import main

for arguments in (["--help"], ["train", "--help"], ["train", "tinny"], ["train", "tiny", "--dry-run"]):
    try:
        main(arguments)
    except SystemExit as stop:
        print(arguments, stop.code, {"torch", "transformers", "trl", "ray"} & set(sys.modules), file=sys.stderr)
"""


def test_nothing_heavy_is_imported_where_nothing_is_computed():
    shown = subprocess.run([sys.executable, "-c", NOTHING_COMPUTED], capture_output=True, text=True, check=True)
    assert [line for line in shown.stderr.splitlines() if line.startswith("[")] == [
        "['--help'] 0 set()",
        "['train', '--help'] 0 set()",
        "['train', 'tinny'] 2 set()",
        "['train', 'tiny', '--dry-run'] 0 set()",
    ]


def test_help_lists_the_verbs(capsys: pytest.CaptureFixture[str]):
    assert heed("--help") == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in ("train", "eval", "export"))


def test_dry_run_prints_a_recipe_that_gives_the_same_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert heed("train", "tiny", "trainer.learning_rate=1e-5", "--dry-run") == 0
    printed = capsys.readouterr().out
    (tmp_path / "again.yaml").write_text(printed, encoding="utf-8")
    assert heed("train", str(tmp_path / "again.yaml"), "--dry-run") == 0
    assert capsys.readouterr().out == printed
    assert "learning_rate: 1.0e-05" in printed


def test_dry_run_as_json_is_the_config(capsys: pytest.CaptureFixture[str]):
    assert heed("train", "tiny", "lora.r=4", "--dry-run", "--json") == 0
    assert Config.model_validate_json(capsys.readouterr().out).lora.r == 4


def test_one_mistake_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]):
    assert heed("train", "tiny", "trainer.lerning_rate=1", "--dry-run") == 2
    shown = capsys.readouterr()
    assert shown.err == "heed: trainer.lerning_rate: unknown key; did you mean trainer.learning_rate?\n"
    assert shown.out == ""


def test_several_mistakes_are_a_list(capsys: pytest.CaptureFixture[str]):
    assert heed("train", "tiny", "lora.r=0", "trl.beta=1") == 2
    assert capsys.readouterr().err == (
        "heed:\n"
        "  lora.r: should be greater than or equal to 1, got 0\n"
        "  trl.beta: a key is set in one place only; set trainer.beta\n"
    )


def test_an_unknown_verb_is_refused(capsys: pytest.CaptureFixture[str]):
    assert heed("trian", "tiny") == 2
    assert "No such command 'trian'" in capsys.readouterr().err


def test_training_gets_the_resolved_config_and_json_has_stdout_for_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], train_with: Callable[[Callable[[Config], Path]], None]
):
    def body(config: Config) -> Path:
        print(f"step of {config.trainer.max_steps}")
        (tmp_path / "summary.json").write_text('{"steps": 3}', encoding="utf-8")
        return tmp_path

    train_with(body)
    assert heed("train", "tiny", "trainer.max_steps=3", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"run": str(tmp_path), "summary": {"steps": 3}}
    assert shown.err == "step of 3\n"


def test_a_stopped_run_exits_like_ctrl_c(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], train_with: Callable[[Callable[[Config], Path]], None]
):
    train_with(lambda config: tmp_path)
    assert heed("train", "tiny", "--json") == 130
    assert json.loads(capsys.readouterr().out) == {"run": str(tmp_path), "summary": None}


def test_errors_of_the_system_are_told(
    capsys: pytest.CaptureFixture[str], train_with: Callable[[Callable[[Config], Path]], None]
):
    def body(config: Config) -> Path:
        raise PermissionError(13, "Permission denied", "runs")

    train_with(body)
    assert heed("train", "tiny") == 2
    assert capsys.readouterr().err == "heed: [Errno 13] Permission denied: 'runs'\n"


@pytest.mark.parametrize("kind", USER_ERRORS)
def test_errors_that_the_user_can_mend_are_one_sentence(
    kind: type[Exception], capsys: pytest.CaptureFixture[str], train_with: Callable[[Callable[[Config], Path]], None]
):
    def body(config: Config) -> Path:
        raise kind("lower learning_rate")

    train_with(body)
    assert heed("train", "tiny") == 2
    assert capsys.readouterr().err == "heed: lower learning_rate\n"


def test_bugs_keep_their_traceback(train_with: Callable[[Callable[[Config], Path]], None]):
    def body(config: Config) -> Path:
        return Path(str(int("three")))

    train_with(body)
    with pytest.raises(ValueError, match="invalid literal"):
        main(["train", "tiny"])


def test_bugs_of_a_users_reward_keep_their_traceback(tmp_path: Path):
    file = tmp_path / "reward.py"
    file.write_text("def broken(completions, **columns):\n    raise ValueError('my reward is broken')\n")
    with pytest.raises(ValueError, match="my reward is broken") as caught:
        main(["train", "tiny", f"rewards.functions=[{file}:broken]", "data.held_out=0", f"run.folder={tmp_path}/run"])
    assert not isinstance(caught.value, USER_ERRORS)
    assert caught.traceback[-1].path == file


def test_a_row_of_data_that_cannot_be_read_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "problems.jsonl"
    file.write_text('{"promt": "Say hello."}\n')
    assert heed("data", "verify", str(file)) == 2
    told = capsys.readouterr().err
    assert "problems.jsonl" in told and "expected a column 'prompt'" in told and len(told.splitlines()) == 1


def test_every_verb_explains_itself(capsys):
    for verb in ("train", "eval", "export", "probe", "data", "bench"):
        assert heed(verb, "--help") == 0
        assert "Usage" in capsys.readouterr().out


def test_probe_without_a_prompt_says_what_it_needs(capsys):
    assert heed("probe", "--model", "tiny") == 2
    assert "needs --prompt" in capsys.readouterr().err


def test_prompts_are_drawn_into_a_file_and_verified(tmp_path, capsys):
    file = tmp_path / "prompts.jsonl"
    assert heed("data", "constraints", "--level", "2", "--n", "3", "-o", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(file)
    assert len(file.read_text().splitlines()) == 3
    assert heed("data", "verify", str(file), "--json") == 0


def test_probe_reads_a_text_of_the_tiny_model(tmp_path, capsys):
    out = tmp_path / "probe"
    arguments = ["--model", "tiny", "--prompt", "Say hello.", "--completion", "hello there", "--out", str(out)]
    assert heed("probe", *arguments, "--json") == 0
    assert json.loads(capsys.readouterr().out)["num_prompt_tokens"] > 0
    assert (out / "page.html").is_file()
