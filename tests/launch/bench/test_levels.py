"""`heed bench levels`: metrics of each cell from its answers, written one by one, continued after a stop."""

import io
import json

import pytest
from rich.console import Console

from launch.bench import levels
from rl.evaluation.evaluate import EvaluatedAnswer


def make_answer(*satisfied, words=4):
    return EvaluatedAnswer(
        problem_id="p",
        prompt="Write.",
        completion="Rain",
        satisfied=satisfied,
        num_words=words,
        distinct_share=1.0,
        on_topic=1.0,
        not_echo=1.0,
    )


def bench(output, **changes):
    settings = {"prompts": 2, "seed": 0, "max_tokens": 4, "batch_size": 2, **changes}
    return levels.bench_levels("tiny", output=output, **settings)


def test_cell_metrics__are_shares_of_constraints_and_of_prompts():
    comma, words = "punctuation:no_comma", "length:word_range"  # content and length
    answers = [make_answer((comma, True), (words, False)), make_answer((words, True), words=8), make_answer(words=0)]
    assert levels.cell_metrics(answers) == {
        "prompts": 3,
        "pass_rate": 2 / 3,
        "all_satisfied": 1 / 2,  # the third prompt has no constraint that applies
        "categories": {"content": [1, 1], "length": [1, 2]},
        "mean_words": 4.0,
    }


def test_bench_levels__measures_each_cell_once_and_continues_a_file(tmp_path, monkeypatch):
    output = tmp_path / "levels.json"
    whole = bench(output)
    assert [(cell["level"], cell["pattern"]) for cell in whole["cells"]] == [
        (level, pattern) for level in (1, 2, 3, 4) for pattern in ("example", "incorporation", "listing")
    ]
    assert all(cell["prompts"] == 2 for cell in whole["cells"])
    assert len(whole["cells"][-1]["categories"]) == 4
    half = json.loads(output.read_text())
    output.write_text(json.dumps({**half, "cells": half["cells"][:7]}))
    assert bench(output) == whole
    monkeypatch.setattr(levels, "evaluate", None)
    assert bench(output) == whole
    shown = io.StringIO()
    levels.show_levels(whole, Console(file=shown, width=200))
    assert len([line for line in shown.getvalue().splitlines() if line.startswith("│")]) == 4


def test_bench_levels__refuses_the_file_of_another_bench(tmp_path):
    output = tmp_path / "levels.json"
    output.write_text(json.dumps({"model": "tiny", "prompts": 3, "seed": 0, "max_tokens": 4, "cells": []}))
    with pytest.raises(ValueError, match="holds another bench"):
        bench(output)
    with pytest.raises(ValueError, match="at least 1, got 0, 4 and 2"):
        bench(None, prompts=0)
