"""`heed eval --benchmark`: figures, files and refusals, as a user meets them."""

import json
from dataclasses import replace

import pytest

from data.writing import write_rows
from launch.cli.main import main
from rl.common.errors import UserError
from rl.evaluation.benchmarks.command import BenchmarkOptions, benchmark_command
from rl.evaluation.benchmarks.selector import Selector, prompt_digest
from rl.evaluation.target import find_target

NOUNS = ("sea", "sky", "rain")
FILES = {"answers.jsonl", "failures.html", "result.json", "settings.json", "timing.json", "attention.png"}


@pytest.fixture
def source(tmp_path) -> str:
    rows = [
        {
            "problem_id": noun,
            "prompt": f"Describe the {noun}. Use no commas.",
            "constraints": [{"id": kind, "kwargs": {}, "spans": [[len(noun) + 15, len(noun) + 29]]}],
        }
        for noun, kind in zip(NOUNS, ("punctuation:no_comma", "punctuation:no_comma", "own:unknown"), strict=True)
    ]
    return str(write_rows(rows, tmp_path / "rules.jsonl"))


def test_benchmark_command__writes_figures_answers_and_failures_and_goes_on(source, tmp_path, capsys):
    options = BenchmarkOptions(benchmark=source, strategy="think", probe=True, max_tokens=6, output=tmp_path / "out")
    result = benchmark_command("tiny", options)
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert (result["prompts"], result["of"], result["unimplemented"]) == (2, 3, {"own:unknown": 1})
    assert result["kinds"]["punctuation:no_comma"]["of"] == 2 and result["attention"]["constraints"] == 2
    assert "own:unknown (1)" in capsys.readouterr().out
    answers = (tmp_path / "out" / "answers.jsonl").read_bytes()
    again = benchmark_command("tiny", options)
    assert (tmp_path / "out" / "answers.jsonl").read_bytes() == answers and again == result
    other = BenchmarkOptions(benchmark=source, max_tokens=7, strategy="think", probe=True, output=tmp_path / "out")
    with pytest.raises(UserError, match="max_tokens=6, and this one has 7"):
        benchmark_command("tiny", other)


def test_benchmark_command__a_runs_adapter_is_evaluated(finished_run, source, tmp_path):
    options = BenchmarkOptions(benchmark=source, max_tokens=6, output=tmp_path / "out", limit=1)
    assert benchmark_command(str(finished_run.folder), options)["prompts"] == 1
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert settings["weights"] and settings["model"]["name"] == "tiny"
    assert find_target(str(finished_run.folder)).folder == finished_run.folder
    assert find_target("tiny").folder is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--strategy", "think"], "go with --benchmark NAME"),
        (["--benchmark", "ifeval", "--probe"], "--strategy direct has to be think"),
        (["--benchmark", "ifeval", "--strategy", "classifier"], "--strategy classifier and --selector FILE"),
        (["--benchmark", "ifeval", "--limit", "0"], "must be at least 1"),
        (["--cache", "replies"], "go with --benchmark NAME"),
        (
            ["--benchmark", "ifeval", "--cache", "replies", "--temperature", "1"],
            "--cache keeps one completion a prompt",
        ),
        (["--benchmark", "ifevall"], "no benchmark 'ifevall'"),
        (["--benchmark", "ifeval", "--data", "none.jsonl"], "no data file none.jsonl"),
        (["--benchmark", "ifeval", "--chat-template-kwargs", "{x}"], "not JSON"),
        (["--benchmark", "ifeval", "--chat-template-kwargs", "[1]"], "expected an object such as"),
    ],
)
def test_heed_eval__says_in_a_sentence_what_does_not_go_together(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["eval", "tiny", *arguments])
    assert stop.value.code == 2
    assert sentence in capsys.readouterr().err


def test_benchmark_command__a_variable_that_the_template_lacks_is_refused(source, tmp_path):
    options = BenchmarkOptions(benchmark=source, template_values={"enable_thinking": False}, output=tmp_path / "out")
    with pytest.raises(UserError, match=r"chat_template_kwargs\.enable_thinking"):
        benchmark_command("tiny", options)


def test_benchmark_command__a_selector_decides(source, tmp_path, monkeypatch, capsys):
    seen = frozenset({prompt_digest("Describe the sky. Use no commas."), prompt_digest("of no benchmark")})
    selector = Selector(weights={"sea": 9.0}, inverse_frequencies={"sea": 1.0}, bias=-1.0, seen=seen)
    monkeypatch.setattr("rl.evaluation.benchmarks.command.load_selector", lambda path: selector)
    (tmp_path / "selector.json").write_text("{}")
    options = BenchmarkOptions(
        benchmark=source,
        strategy="classifier",
        selector=tmp_path / "selector.json",
        max_tokens=4,
        output=tmp_path / "out",
    )
    result = benchmark_command("tiny", options)
    assert result["thinking"] == 0.5
    assert result["seen_by_selector"] == 1 and "trained on 1 of these prompts" in " ".join(
        capsys.readouterr().out.split()
    )


def test_benchmark_command__against_other_answers_to_the_same_prompts(source, tmp_path, capsys):
    direct = BenchmarkOptions(benchmark=source, max_tokens=6, cache=tmp_path / "cache", output=tmp_path / "direct")
    benchmark_command("tiny", direct)
    again = replace(direct, output=tmp_path / "again", against=tmp_path / "direct")
    compared = benchmark_command("tiny", again)["against"]["differences"]
    assert set(compared) == {"prompt_strict", "prompt_loose", "instruction_strict", "instruction_loose"}
    assert all(value == {"mean": 0.0, "low": 0.0, "high": 0.0} for value in compared.values())
    assert "paired by prompt" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"holds no answers\.jsonl"):
        benchmark_command("tiny", replace(again, against=tmp_path / "none"))
