"""`heed bench credit`: matched arms on an untrained model, none trained twice."""

import json
from dataclasses import replace

import pytest

from attention_probes.heads import HeadRoles
from attention_probes.null_baseline import NullBaseline
from launch.bench.arms import record_budget
from launch.bench.credit import bench_credit, credit_arm
from launch.bench.tasks import LOCAL_KINDS, TASKS, Budget, budget_of
from launch.recipes import load_recipe
from rl.config.load import load_run_config

BUDGET = Budget(steps=2, num_problems=16, num_held_out=8, groups=2, num_generations=2, learning_rate=1e-3)


def test_credit_arm__differs_in_credit_alone(untrained, tmp_path):
    uniform, raw = (credit_arm(TASKS["chain"], name, 1, BUDGET).config(tmp_path) for name in ("uniform", "coupled:raw"))
    differing = {key for key, value in uniform.model_dump().items() if raw.model_dump()[key] != value}
    assert differing == {"credit", "run"}
    assert (raw.credit.rule, raw.credit.preserve_mass, raw.credit.evidence_weight) == ("coupled", False, 1.0)
    assert credit_arm(TASKS["rules"], "constraint:mass", 1, BUDGET).config(tmp_path).credit.preserve_mass is True


def test_credit_arm__reads_attention_as_its_suffixes_say(untrained, tmp_path, monkeypatch):
    monkeypatch.setenv("HEED_CACHE", str(tmp_path / "cache"))
    plain, roles, both, attention = (
        credit_arm(TASKS["chain"], name, 1, BUDGET).config(tmp_path)
        for name in ("coupled", "coupled:roles", "coupled:residual:roles", "coupled:attention")
    )
    assert roles.probe == plain.probe.model_copy(update={"roles": roles.probe.roles})
    assert (both.probe.roles, both.credit.readings) == (both.probe.baseline.with_name("roles.json"), "residual")
    fitted = HeadRoles.load(roles.probe.roles)
    assert fitted == HeadRoles.load(both.probe.roles)
    assert NullBaseline.load(both.probe.baseline).layers == fitted.layers
    assert (plain.credit.without_evidence, attention.credit.without_evidence) == ("text", "attention")


def test_bench_credit__refuses_an_unknown_rule_before_training(untrained, tmp_path):
    with pytest.raises(ValueError, match=r"credit\.rule: should be 'uniform'"):
        bench_credit("chain", ["couplet"], 2, folder=tmp_path, budget=BUDGET)


def test_bench_credit__refuses_an_unknown_task_and_a_single_seed(tmp_path):
    with pytest.raises(
        ValueError, match="unknown task 'sums'; there is chain, digits, hidden-digits, constraints, rules, slots"
    ):
        budget_of("sums", None)
    with pytest.raises(ValueError, match="at least 2"):
        bench_credit("chain", ["random"], 1, folder=tmp_path, budget=BUDGET)


def test_credit_arm__of_constraints_is_the_quickstart_with_another_rule(tmp_path):
    budget = budget_of("constraints", None)
    config = credit_arm(TASKS["constraints"], "uniform", 2, budget).config(tmp_path)
    recipe = load_recipe("quickstart")
    assert (config.data, config.rewards, config.lora) == (recipe.data, recipe.rewards, recipe.lora)
    changed = {"seed": 2, "save_steps": 36}
    assert config.trainer == recipe.trainer.model_copy(update=changed)
    assert config.credit.rule == "uniform"
    assert config.rollouts.workers == 0, "a Ray task cannot wait for workers of its own"
    assert budget_of("constraints", 3).steps == 3


def test_credit_arm__of_rules_has_three_to_five_local_constraints_a_prompt(tmp_path):
    config = credit_arm(TASKS["rules"], "constraint", 0, budget_of("rules", None)).config(tmp_path)
    train, held_out = TASKS["rules"].problems(config, 0, budget_of("rules", None))
    kinds = [[constraint.id for constraint in problem.constraints] for problem in (*train, *held_out)]
    assert {len(each) for each in kinds} == {3, 4, 5}
    assert {kind for each in kinds for kind in each} == set(LOCAL_KINDS)


def test_record_budget__refuses_arms_that_no_bench_wrote(tmp_path):
    (tmp_path / "arms" / "uniform-0").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"arms is there, and no bench wrote it; choose another folder"):
        bench_credit("chain", ["random"], 2, folder=tmp_path, budget=BUDGET)
    (tmp_path / "budget.json").write_text("rent: 900")
    with pytest.raises(ValueError, match="holds arms of another budget"):
        bench_credit("chain", ["random"], 2, folder=tmp_path, budget=BUDGET)
    assert [path.name for path in (tmp_path / "arms").iterdir()] == ["uniform-0"]


def test_record_budget__refuses_another_one(tmp_path):
    record_budget(tmp_path, "chain", BUDGET)
    record_budget(tmp_path, "chain", BUDGET)
    with pytest.raises(ValueError, match="arms of another budget"):
        record_budget(tmp_path, "chain", replace(BUDGET, steps=3))
    with pytest.raises(ValueError, match="arms of another budget"):
        record_budget(tmp_path, "constraints", BUDGET)


@pytest.mark.slow
def test_bench_credit__trains_no_arm_twice(untrained, tmp_path, monkeypatch):
    result = bench_credit("chain", ["random"], 2, folder=tmp_path / "bench", budget=BUDGET)
    assert [(arm["name"], arm["seed"], arm["steps"]) for arm in result["arms"]] == [
        (name, seed, [0, 1, 2]) for seed in (0, 1) for name in ("uniform", "random")
    ]
    assert json.loads((tmp_path / "bench" / "credit.json").read_text()) == json.loads(json.dumps(result))
    assert (tmp_path / "bench" / "credit.png").is_file()
    [row] = [row for row in result["means_over_training"] if row["name"] == "random"]
    assert row["seeds"] == 2 and len(row["differences"]) == 2
    arm = credit_arm(TASKS["chain"], "random", 1, BUDGET)
    assert load_run_config(arm.folder(tmp_path / "bench")) == arm.config(tmp_path / "bench")

    def train_again(*args, **kwargs):
        raise AssertionError("a finished arm was trained again")

    monkeypatch.setattr("launch.bench.arms.build_trainer", train_again)
    assert bench_credit("chain", ["random"], 2, folder=tmp_path / "bench", budget=BUDGET) == result
