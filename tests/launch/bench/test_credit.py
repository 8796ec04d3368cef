"""`heed bench credit`: matched arms on an untrained model, kept and not trained twice."""

import json
from dataclasses import replace

import pytest

import launch.bench.tasks
from launch.bench.chain_model import chain_model, sign_tokenizer
from launch.bench.credit import arm_config, bench_credit, keep_budget
from launch.bench.tasks import TASKS, Budget, budget_of
from launch.recipes import load_recipe

BUDGET = Budget(steps=2, num_problems=16, num_held_out=8, groups=2, num_generations=2, learning_rate=1e-3)


@pytest.fixture
def untrained(tmp_path, monkeypatch):
    """Every arm starts from a model that knows nothing, saved for this test alone."""
    folder = tmp_path / "model"
    chain_model(seed=0).save_pretrained(folder)
    sign_tokenizer().save_pretrained(folder)
    monkeypatch.setattr(launch.bench.tasks, "warmed_model", lambda accuracy: folder)


def test_arms_of_a_seed_differ_in_credit_alone(untrained, tmp_path):
    uniform, raw = (arm_config(TASKS["chain"], name, 1, BUDGET, tmp_path) for name in ("uniform", "coupled:raw"))
    differing = {key for key, value in uniform.model_dump().items() if raw.model_dump()[key] != value}
    assert differing == {"credit", "run"}
    assert (raw.credit.rule, raw.credit.preserve_mass) == ("coupled", False)


def test_an_unknown_rule_is_told_before_anything_is_trained(untrained, tmp_path):
    with pytest.raises(ValueError, match=r"credit\.rule: should be 'uniform'"):
        bench_credit("chain", ["couplet"], 2, folder=tmp_path, budget=BUDGET)


def test_what_cannot_be_compared_is_told(tmp_path):
    with pytest.raises(ValueError, match="unknown task 'sums'; there is chain, constraints"):
        budget_of("sums", None)
    with pytest.raises(ValueError, match="at least 2"):
        bench_credit("chain", ["random"], 1, folder=tmp_path, budget=BUDGET)


def test_an_arm_on_constraints_is_the_quickstart_with_another_rule(tmp_path):
    budget = budget_of("constraints", None)
    config = arm_config(TASKS["constraints"], "uniform", 2, budget, tmp_path)
    recipe = load_recipe("quickstart")
    assert (config.data, config.rewards, config.lora) == (recipe.data, recipe.rewards, recipe.lora)
    changed = {"seed": 2, "save_steps": 36}
    assert config.trainer == recipe.trainer.model_copy(update=changed)
    assert config.credit.rule == "uniform"
    assert budget_of("constraints", 3).steps == 3


def test_arms_of_another_budget_are_not_mixed_in(tmp_path):
    keep_budget(tmp_path, "chain", BUDGET)
    keep_budget(tmp_path, "chain", BUDGET)
    with pytest.raises(ValueError, match="arms of another budget"):
        keep_budget(tmp_path, "chain", replace(BUDGET, steps=3))
    with pytest.raises(ValueError, match="arms of another budget"):
        keep_budget(tmp_path, "constraints", BUDGET)


@pytest.mark.slow
def test_a_comparison_is_kept_and_gone_on_with(untrained, tmp_path, monkeypatch):
    result = bench_credit("chain", ["random"], 2, folder=tmp_path / "bench", budget=BUDGET)
    assert [(arm["rule"], arm["seed"], arm["steps"]) for arm in result["arms"]] == [
        (rule, seed, [0, 1, 2]) for seed in (0, 1) for rule in ("uniform", "random")
    ]
    assert json.loads((tmp_path / "bench" / "credit.json").read_text()) == json.loads(json.dumps(result))
    assert (tmp_path / "bench" / "credit.png").is_file()

    def train_again(*args, **kwargs):
        raise AssertionError("an arm that is kept was trained again")

    monkeypatch.setattr("launch.bench.credit.build_trainer", train_again)
    assert bench_credit("chain", ["random"], 2, folder=tmp_path / "bench", budget=BUDGET) == result
