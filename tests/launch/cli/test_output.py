"""Output: stdout carries JSON alone where it is asked for, from every command."""

import json
import subprocess
import sys

import pytest
from typer.main import get_group

from launch.cli.main import app
from launch.cli.output import finite

NO_RESULT = {"gateway"}
"""Commands that run until they are stopped."""

CHILD_PRINTS = """
import os, subprocess, sys
from launch.cli.output import print_result

def body():
    print("from Python")
    os.write(1, b"from a library\\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"])
    return {"loss": float("nan"), "steps": (1, 2)}

print_result(True, body)
print_result(False, lambda: {"a": 1}, show=lambda result: print("shown", result))
"""


def test_json__has_stdout_alone_whoever_prints():
    shown = subprocess.run([sys.executable, "-c", CHILD_PRINTS], capture_output=True, text=True, check=True)
    result, end = json.JSONDecoder().raw_decode(shown.stdout)
    assert result == {"loss": None, "steps": [1, 2]}
    assert shown.stdout[end:].strip() == "shown {'a': 1}"
    assert {"from Python", "from a library", "from a child"} <= set(shown.stderr.splitlines())


def test_finite__leaves_everything_but_nan_and_infinity():
    tree = {"a": [1.5, float("inf"), "nan"], "b": {"c": float("nan"), "d": None, "e": True}, "f": (1,)}
    assert finite(tree) == {"a": [1.5, None, "nan"], "b": {"c": None, "d": None, "e": True}, "f": [1]}


def commands() -> dict[str, list[str]]:
    """Return the options of every command that does something, by its name."""
    groups, found = [("", get_group(app))], {}
    while groups:
        prefix, group = groups.pop()
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                groups.append((f"{prefix}{name} ", command))
            if not hasattr(command, "commands") or command.invoke_without_command:
                found[prefix + name] = [option for parameter in command.params for option in parameter.opts]
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_options__every_command_spells_json_and_output_alike(name):
    options = commands()[name]
    assert ("--json" in options) == (name not in NO_RESULT)
    assert not {"--out", "--folder-out", "--file"} & set(options)
    assert ("--output" in options) == ("-o" in options)


@pytest.mark.parametrize(
    "name",
    [
        *("export", "eval", "report", "launch", "probe", "probe calibrate", "probe baseline"),
        *("data constraints", "data pairs", "data attributes"),
        *(name for name in commands() if name.startswith("bench ")),
    ],
)
def test_options__what_writes_has_output(name):
    assert "--output" in commands()[name]


def test_data__constraints_are_drawn_into_a_file_and_verified(heed, tmp_path, capsys):
    file = tmp_path / "prompts.jsonl"
    assert heed("data", "constraints", "--level", "2", "--n", "3", "-o", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(file)
    assert len(file.read_text().splitlines()) == 3
    assert heed("data", "verify", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["num_problems"] == 3


def test_bench__writes_the_result_to_a_file_too(heed, tmp_path, capsys):
    file = tmp_path / "verifiers.json"
    assert heed("bench", "verifiers", "--completions", "20", "--json", "-o", str(file)) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(file.read_text())


def test_probe__without_a_prompt_says_what_it_needs(heed, capsys):
    assert heed("probe", "--model", "tiny") == 2
    assert "needs --prompt" in capsys.readouterr().err


def test_probe__reads_a_text_of_the_tiny_model(heed, tmp_path, capsys):
    folder = tmp_path / "probe"
    arguments = ["--model", "tiny", "--prompt", "Say hello.", "--completion", "hello there", "-o", str(folder)]
    assert heed("probe", *arguments, "--json") == 0
    assert json.loads(capsys.readouterr().out)["num_prompt_tokens"] > 0
    assert (folder / "page.html").is_file()


def test_user_path__home_stands_for_its_sign(heed, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert heed("resume", "~/none") == 2
    assert f"{tmp_path}/none is not a run folder" in capsys.readouterr().err
    assert heed("launch", "slurm", "tiny", "--output=~/job.sh") == 0
    assert (tmp_path / "job.sh").is_file()
