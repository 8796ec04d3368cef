"""`heed bench routing`: arms of equal size, and a small bench that trains each once."""

import pytest

from launch.bench.routing import ARMS, agreement, bench_routing, routing_arm
from launch.bench.tasks import Budget

SMALL = Budget(steps=2, num_problems=32, num_held_out=16, groups=4, num_generations=4, learning_rate=1e-3)


def test_arms__have_equal_rank_in_all():
    ranks = {name: arm["lora"]["r"] * len(arm.get("routing", {}).get("adapters", "1")) for name, arm in ARMS.items()}
    assert set(ranks.values()) == {16}
    assert {name: arm["lora"]["alpha"] / arm["lora"]["r"] for name, arm in ARMS.items()} == dict.fromkeys(ARMS, 2.0)


def test_agreement__permutes_adapters_without_names_only():
    assert agreement([1, 0, 2, 3], [0, 1, 2, 3], named=False) == 1.0
    assert agreement([1, 0, 2, 3], [0, 1, 2, 3], named=True) == 0.5


def test_bench_routing__refuses_an_unknown_arm_and_a_single_seed(tmp_path):
    with pytest.raises(ValueError, match="unknown arm 'two'; there is single, oracle, attention, kmeans"):
        bench_routing(["two"], 3, folder=tmp_path)
    with pytest.raises(ValueError, match="an interval needs at least 2"):
        bench_routing(["oracle"], 1, folder=tmp_path)


@pytest.mark.slow
def test_bench_routing__trains_each_arm_once(untrained, tmp_path):
    result = bench_routing(["oracle", "attention"], 2, folder=tmp_path, budget=SMALL)
    assert [(arm["name"], arm["seed"]) for arm in result["arms"]] == [
        (name, seed) for seed in (0, 1) for name in ("single", "oracle", "attention")
    ]
    assert result["router_accuracy"]["oracle"] == [1.0, 1.0]
    arm = routing_arm("oracle", 0, SMALL).folder(tmp_path)
    trained_at = (arm / "arm.json").stat().st_mtime_ns
    bench_routing(["oracle", "attention"], 2, folder=tmp_path, budget=SMALL)
    assert (arm / "arm.json").stat().st_mtime_ns == trained_at
