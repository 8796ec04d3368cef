"""Held-out scores along the way change nothing in the training."""

from launch.recipes import load_recipe
from rl.runs.jsonl import read_jsonl
from rl.train import train
from tests.rl.test_train import adapter_bytes, recipe_config


def test_scores_along_the_way_leave_the_training_as_it_was(finished_run, tmp_path):
    plain = recipe_config(tmp_path / "run")
    run = train(plain.model_copy(update={"evaluation": plain.evaluation.model_copy(update={"every": 2})}))
    assert adapter_bytes(run) == adapter_bytes(finished_run.folder)
    scored = [line for line in read_jsonl(run / "metrics.jsonl") if "eval/pass_rate" in line]
    # of four steps, the last is scored at the end anyway
    assert [line["step"] for line in scored] == [2]
    assert 0.0 <= scored[0]["eval/pass_rate"] <= 1.0
    assert load_recipe(f"{run}/config.yaml").evaluation.every == 2
