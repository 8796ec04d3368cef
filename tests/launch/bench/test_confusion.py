"""`heed bench confusion`: pairs of constraints by hand, and a real run's held-out answers."""

import json
from pathlib import Path

import pytest

from data.verdicts import verdicts_for
from launch.bench.confusion import Judged, areas, bench_confusion
from rl.config.load import load_run_config
from rl.datasets import load_training
from rl.evaluation.evaluate import load_evaluation, number_equal_ids
from rl.train import train
from tests.rl.grpo_fixtures import recipe_config


def judged(kind: str, margin: float, num_words: int, *, failed: bool) -> Judged:
    return Judged(problem_id=f"{kind}{margin}", kind=kind, margin=margin, num_words=num_words, failed=failed)


def test_areas__count_pairs_of_a_failed_and_a_satisfied_constraint():
    """Confusion 0.1 and 0.3 fail, -0.2 and 0.2 do not: three of four pairs, and of one kind one of two."""
    rows = [
        judged("comma", -0.1, 10, failed=True),
        judged("comma", 0.2, 10, failed=False),
        judged("title", -0.3, 5, failed=True),
        judged("title", -0.2, 20, failed=False),
    ]
    result = areas(rows)
    assert (result["constraints"], result["failed"], result["problems"]) == (4, 2, 4)
    assert (result["auc_confusion"], result["auc_confusion_within_kind"]) == (0.75, 1.0)
    # Words: 10 equals 10 and is below 20; 5 is below both.
    assert (result["auc_length"], result["auc_length_within_kind"]) == (0.125, 0.25)
    assert result["auc_confusion_low"] <= 0.75 <= result["auc_confusion_high"]


def test_areas__within_kinds_are_null_where_none_has_both():
    result = areas([judged("comma", 0.1, 3, failed=True), judged("title", 0.2, 4, failed=False)])
    assert result["auc_confusion"] == 1.0 and result["auc_confusion_within_kind"] is None


def trained(run: Path, *overrides: str) -> Path:
    train(recipe_config(run, "trainer.max_steps=1", *overrides))
    return run


def test_bench_confusion__reads_a_runs_held_out_answers(tmp_path):
    kinds = "data.kinds=[punctuation:no_comma,detectable_format:title,content:exclude_mark]"
    run = trained(tmp_path / "run", kinds, "data.min_constraints=2", "data.max_constraints=2", "data.held_out=8")
    saved = json.loads((run / "after.json").read_text())
    for index, answer in enumerate(saved["answers"]):  # the random model wrote nothing but empty lines
        answer["completion"] = "It rains, and it pours!" if index % 2 else "It rains and it pours"
    (run / "after.json").write_text(json.dumps(saved))
    result = bench_confusion(run)
    problems = {one.problem_id: one for one in number_equal_ids(load_training(load_run_config(run)).held_out)}
    answers = load_evaluation(run / "after.json").answers
    verdicts = [verdict for one in answers for verdict in verdicts_for(problems[one.problem_id], one.completion)]
    applying = [verdict for verdict in verdicts if verdict.satisfied is not None]
    assert result["constraints"] == len(applying) and result["problems"] == 8
    assert result["failed"] == sum(not verdict.satisfied for verdict in applying)


def test_bench_confusion__refuses_a_run_of_one_constraint_a_prompt(tmp_path):
    """One constraint has no rival, so there is no margin."""
    run = trained(tmp_path / "run", "data.max_constraints=1", "data.held_out=2")
    with pytest.raises(ValueError, match=r"0 of 0 constraints .* prompts need two constraints"):
        bench_confusion(run)
