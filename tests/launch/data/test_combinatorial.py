"""`heed data combinatorial`: rows with rules and references, which are found once."""

import json

import pytest

from data.reading import read_problems
from data.verdicts import verdicts_for
from launch.data import combinatorial
from launch.data.combinatorial import Solving, combinatorial_command


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HEED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "references"


def drawn(tmp_path, **changes):
    settings = {"problem": "cvrp", "size": 4, "number": 3, "text": "stepwise", "seed": 0, "solving": Solving()}
    return combinatorial_command(output=tmp_path / "rows.jsonl", **{**settings, **changes})


def test_combinatorial__rows_are_read_back_and_their_completions_keep_all_rules(tmp_path):
    result = drawn(tmp_path)
    assert (result["num_problems"], result["proven"]) == (3, 3)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    for problem, row in zip(read_problems(result["file"]), rows, strict=True):
        [answer] = row["completion"]
        assert answer["role"] == "assistant" and problem.reference == answer["content"].split()[-1]
        assert all(verdict.satisfied for verdict in verdicts_for(problem, answer["content"]))


def test_combinatorial__references_are_found_once(tmp_path, cache, monkeypatch):
    drawn(tmp_path)
    before = (tmp_path / "rows.jsonl").read_text()
    path = cache / "cvrp-4.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]) + lines[2][:20])  # as a kill leaves it
    solved = []
    original = combinatorial.reference_of
    monkeypatch.setattr(combinatorial, "reference_of", lambda *a, **b: solved.append(a) or original(*a, **b))
    drawn(tmp_path)
    assert len(solved) == 1 and path.read_text().splitlines(keepends=True) == lines
    assert (tmp_path / "rows.jsonl").read_text() == before


def test_combinatorial__several_processes_find_the_same(tmp_path, cache):
    alone = drawn(tmp_path) and (cache / "cvrp-4.jsonl").read_text()
    (cache / "cvrp-4.jsonl").unlink()
    drawn(tmp_path, solving=Solving(jobs=2))
    assert (cache / "cvrp-4.jsonl").read_text() == alone


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"text": "long"}, "unknown text 'long'; there are plain, stepwise"),
        ({"number": 0}, "at least 1, got 0"),
        ({"problem": "sat"}, "unknown problem 'sat'; there is tsp"),
        ({"size": 1}, "at least 2, got 1"),
    ],
)
def test_combinatorial__wrong_settings_are_refused(tmp_path, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        drawn(tmp_path, **changes)
