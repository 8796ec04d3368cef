"""Benchmark run: a killed evaluation goes on and writes the same file, byte for byte; other settings are refused."""

import json
from pathlib import Path

import pytest

from data.benchmarks.judging import judge_constraints
from data.problems import ConstraintSpec, Problem
from rl.common.errors import UserError
from rl.config.model import ModelConfig
from rl.evaluation.asking import ANSWER_NOW, Asker, model_modes
from rl.evaluation.benchmarks.failures import write_failures
from rl.evaluation.benchmarks.metrics import benchmark_metrics
from rl.evaluation.benchmarks.run import ANSWERS, open_folder, read_answers, run_benchmark
from rl.evaluation.strategies import think
from tests.rl.evaluation.scripted import ScriptedEngine

NO_COMMA = ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="")
PROBLEMS = [
    Problem(
        problem_id=f"row-{index}",
        messages=({"role": "user", "content": f"Describe the sea in {'very ' * (5 - index)}few words."},),
        constraints=(NO_COMMA,),
        extras={"level": index % 2},
    )
    for index in range(5)
]


class Killed(Exception):
    """As if by SIGKILL."""


def answer_all(folder: Path, *, kill_after: int | None = None) -> ScriptedEngine:
    def script(prompt: str) -> str:
        if ANSWER_NOW not in prompt:
            return f"{len(prompt)} <b>"
        return f"Blue{',' if prompt.count('very') % 2 else ''} wide\u2028."

    engine = ScriptedEngine(script)
    asker = Asker(engine, model_modes(ModelConfig(name="tiny")))
    for num_done in run_benchmark(folder, asker, think, PROBLEMS, judge_constraints, groups=("level",), batch_size=2):
        if num_done == kill_after:
            raise Killed
    return engine


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_run_benchmark__killed_anywhere_goes_on_and_gives_the_same_file(cut, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    assert len(answer_all(whole).prompts) == 2 * 5
    with pytest.raises(Killed):
        answer_all(killed, kill_after=4)
    lines = (killed / ANSWERS).read_bytes()
    (killed / ANSWERS).write_bytes(lines[: len(lines) - cut])  # inside the second batch's last line
    assert len(answer_all(killed).prompts) == 2 * (1 if cut == 0 else 3), (
        "a batch that was cut is asked again as a whole"
    )
    assert (killed / ANSWERS).read_bytes() == (whole / ANSWERS).read_bytes()
    assert answer_all(killed).prompts == []


def test_read_answers__are_in_the_order_of_the_benchmark(tmp_path):
    answer_all(tmp_path)
    records = read_answers(tmp_path)
    assert [record["problem_id"] for record in records] == [one.problem_id for one in PROBLEMS]
    assert [record["index"] for record in records] == list(range(5))
    assert {record["groups"]["level"] for record in records} == {0, 1}
    for record in records:
        assert record["tokens"]["thought"] + record["tokens"]["answer"] == record["tokens"]["all"]
        assert record["scores"]["prompt_strict"] == float("," not in record["answer"])
    with pytest.raises(UserError, match=r"holds no answers\.jsonl"):
        read_answers(tmp_path / "empty")


def test_open_folder__goes_on_with_the_same_settings_only(tmp_path):
    open_folder(tmp_path / "run", {"strategy": "think", "limit": None})
    open_folder(tmp_path / "run", {"strategy": "think", "limit": None})
    with pytest.raises(UserError, match="holds a run with strategy='think', and this one has 'direct'"):
        open_folder(tmp_path / "run", {"strategy": "direct", "limit": None})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        open_folder(tmp_path / "other", {})


def test_write_failures__shows_what_failed_escaped_and_its_thought_folded(tmp_path):
    answer_all(tmp_path)
    records = read_answers(tmp_path)
    page = write_failures(
        tmp_path / "failures.html", records, benchmark_metrics(records)["metrics"], title="tiny <on> ifeval"
    ).read_text()
    failed = [record for record in records if not record["scores"]["prompt_strict"]]
    assert 0 < len(failed) < len(records)
    assert page.count("<article") == len(failed)
    assert "tiny &lt;on&gt; ifeval" in page and "&lt;b&gt;" in page and "<b>" not in page
    assert page.count("<details><summary>thought") == len(failed)
    assert json.dumps(records[0]["prompt"]) is not None
