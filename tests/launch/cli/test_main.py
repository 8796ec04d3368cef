"""The command line: quick where nothing is computed, one sentence where the user erred, a traceback where we did."""

import subprocess
import sys
from pathlib import Path

import pytest

from launch.cli.main import PANELS, app, main
from rl.common.errors import USER_ERRORS
from rl.config.root import Config

NOTHING_COMPUTED = """
import sys
from launch.cli.main import main

for arguments in (["--help"], ["train", "--help"], ["train", "tinny"], ["train", "tiny", "--dry-run"]):
    try:
        main(arguments)
    except SystemExit as stop:
        print(arguments, stop.code, {"torch", "transformers", "trl", "ray"} & set(sys.modules), file=sys.stderr)
"""


def test_help_and_dry_run__import_nothing_heavy():
    shown = subprocess.run([sys.executable, "-c", NOTHING_COMPUTED], capture_output=True, text=True, check=True)
    assert [line for line in shown.stderr.splitlines() if line.startswith("[")] == [
        "['--help'] 0 set()",
        "['train', '--help'] 0 set()",
        "['train', 'tinny'] 2 set()",
        "['train', 'tiny', '--dry-run'] 0 set()",
    ]


def test_help__groups_the_commands_in_panels(heed, capsys):
    assert heed("--help") == 0
    lines = capsys.readouterr().out.splitlines()
    titles = [line for line in lines if line.startswith("╭")]
    assert [title.strip("╭╮─ ") for title in titles] == ["Options", *PANELS]
    commands = [line.split()[1] for line in lines if line.startswith("│ ") and line[2].isalpha()]
    assert commands == [
        *("train", "resume", "plan", "export", "train-selector"),
        *("eval", "report", "route", "probe"),
        "data",
        *("doctor", "launch", "gateway"),
        "bench",
    ]


def test_help__of_a_command_is_one_sentence():
    from typer.main import get_group

    groups = [get_group(app)]
    helps = {}
    while groups:
        group = groups.pop()
        for name, command in group.commands.items():
            helps[f"{group.name} {name}"] = command.help or ""
            groups += [command] if hasattr(command, "commands") else []
    assert len(helps) > 25
    for name, text in helps.items():
        assert text[0].isupper() and text.endswith(".") and text.count(". ") == 0 and "\n" not in text, name


def test_errors__one_is_one_line_on_stderr(heed, capsys):
    assert heed("train", "tiny", "trainer.lerning_rate=1", "--dry-run") == 2
    shown = capsys.readouterr()
    assert shown.err == "heed: trainer.lerning_rate: unknown key; did you mean trainer.learning_rate?\n"
    assert shown.out == ""


def test_errors__several_are_a_list(heed, capsys):
    assert heed("train", "tiny", "lora.r=0", "trl.beta=1") == 2
    assert capsys.readouterr().err == (
        "heed:\n"
        "  lora.r: should be greater than or equal to 1, got 0\n"
        "  trl.beta: a key is set in one place only; set trainer.beta\n"
    )


def test_errors__an_unknown_command_is_refused(heed, capsys):
    assert heed("trian", "tiny") == 2
    assert "No such command 'trian'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", USER_ERRORS)
def test_errors__that_the_user_can_mend_are_one_sentence(kind, heed, capsys, train_with):
    def body(config: Config) -> Path:
        raise kind("lower learning_rate")

    train_with(body)
    assert heed("train", "tiny") == 2
    assert capsys.readouterr().err == "heed: lower learning_rate\n"


def test_errors__of_the_system_are_printed(heed, capsys, train_with):
    def body(config: Config) -> Path:
        raise PermissionError(13, "Permission denied", "runs")

    train_with(body)
    assert heed("train", "tiny") == 2
    assert capsys.readouterr().err == "heed: [Errno 13] Permission denied: 'runs'\n"


def test_errors__bugs_keep_their_traceback(train_with):
    def body(config: Config) -> Path:
        return Path(str(int("three")))

    train_with(body)
    with pytest.raises(ValueError, match="invalid literal"):
        main(["train", "tiny"])


def test_errors__bugs_of_a_custom_reward_keep_their_traceback(tmp_path):
    file = tmp_path / "reward.py"
    file.write_text("def broken(completions, **columns):\n    raise ValueError('my reward is broken')\n")
    with pytest.raises(ValueError, match="my reward is broken") as caught:
        main(["train", "tiny", f"rewards.functions=[{file}:broken]", "data.held_out=0", f"run.folder={tmp_path}/run"])
    assert not isinstance(caught.value, USER_ERRORS)
    assert caught.traceback[-1].path == file


def test_errors__a_row_that_cannot_be_read_is_one_sentence(heed, tmp_path, capsys):
    file = tmp_path / "problems.jsonl"
    file.write_text('{"promt": "Say hello."}\n')
    assert heed("data", "verify", str(file)) == 2
    printed = capsys.readouterr().err
    assert "problems.jsonl" in printed and "expected a column 'prompt'" in printed and len(printed.splitlines()) == 1
