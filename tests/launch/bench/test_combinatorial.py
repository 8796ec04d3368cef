"""`heed bench combinatorial`: arms of equal size, their comparison, and a small bench that trains each once."""

import pytest

import launch.bench.combinatorial
import launch.bench.six_problems
from launch.bench.chain_model import chain_model
from launch.bench.combinatorial import QUESTIONS, RANK, VARIANTS, bench_combinatorial, mean_details, summary
from launch.bench.compare import BenchArm
from launch.bench.six_problems import tokenizer
from launch.bench.tasks import Budget

SMALL = Budget(steps=2, num_problems=12, num_held_out=6, groups=2, num_generations=2, learning_rate=1e-3)


def test_variants__have_equal_rank_in_all_and_are_all_asked_about():
    for variant in VARIANTS.values():
        adapters = variant.settings.get("routing", {}).get("adapters", ["one"])
        assert variant.settings["lora"]["r"] * len(adapters) == RANK
        assert variant.settings["lora"]["alpha"] == 2 * variant.settings["lora"]["r"]
    asked = {name for baseline, others in QUESTIONS for name in (baseline, *others)}
    assert asked == set(VARIANTS) and len(VARIANTS) == 7


def test_bench_combinatorial__refuses_an_unknown_arm_and_a_single_seed(tmp_path):
    with pytest.raises(ValueError, match="unknown arm 'plain'; there is plain-uniform-single"):
        bench_combinatorial(tmp_path, arms=["plain"])
    with pytest.raises(ValueError, match="an interval needs at least 2"):
        bench_combinatorial(tmp_path, seeds=1)


def test_summary__pairs_arms_by_seed():
    def arm(name, seed, last, gap):
        details = {"greedy/tsp/gap": gap}
        return BenchArm(name=name, seed=seed, steps=[0, 10], scores=[0.4, last], perfect=[0, 0], details=details)

    # areas 0.4 and 0.5 against 0.5 and 0.7: the gains are 0.1 and 0.2
    plain = [arm("plain-uniform-single", 0, 0.4, 0.1), arm("plain-uniform-single", 1, 0.6, 0.3)]
    stepwise = [arm("stepwise-uniform-single", 0, 0.6, 0.0), arm("stepwise-uniform-single", 1, 1.0, 0.0)]
    found = summary([*plain, *stepwise], list(VARIANTS))
    assert found["questions"][0][1]["gain"]["mean"] == pytest.approx(0.15)
    assert found["details"]["plain-uniform-single"] == {"greedy/tsp/gap": pytest.approx(0.2)}
    assert mean_details([]) == {}


@pytest.fixture
def untrained_words(tmp_path, monkeypatch):
    """Make every arm start from a random model, on a small budget and with short answers."""
    folder, words = tmp_path / "model", tokenizer()
    chain_model(seed=0, vocabulary=len(words)).save_pretrained(folder)
    words.save_pretrained(folder)
    monkeypatch.setattr(launch.bench.six_problems, "pretrained_model", lambda *_: folder)
    monkeypatch.setattr(launch.bench.six_problems, "MAX_TOKENS", {"plain": 6, "stepwise": 8})
    monkeypatch.setattr(launch.bench.combinatorial, "BUDGET", SMALL)


@pytest.mark.slow
def test_bench_combinatorial__trains_each_arm_once(untrained_words, tmp_path):
    arms = ["stepwise-constraint-single", "stepwise-constraint-attention"]
    found = bench_combinatorial(tmp_path / "bench", seeds=2, arms=arms, steps=2)
    assert (tmp_path / "bench" / "combinatorial.json").exists()
    assert set(found["details"]["stepwise-constraint-single"]) >= {"greedy/tsp/feasible", "best_of_8/tsp/feasible"}
    trained = {path: path.stat().st_mtime_ns for path in (tmp_path / "bench" / "arms").glob("*/arm.json")}
    assert len(trained) == 4
    bench_combinatorial(tmp_path / "bench", seeds=2, arms=arms, steps=2)
    assert trained == {path: path.stat().st_mtime_ns for path in trained}
