"""Placement of workers as a run decides it: counts of GPUs, ranks and workers, and whose Ray it is."""

import pytest

from launch.recipes import load_recipe
from rl.config.load import parse_config
from rl.rollouts.workers.placement import place_workers


@pytest.fixture(autouse=True)
def no_ranks(monkeypatch):
    for name in ("RAY_ADDRESS", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def test_place_workers__the_quickstarts_two_take_the_second_gpu(claim_gpus, monkeypatch):
    quickstart = load_recipe("quickstart", [])
    claim_gpus(0)
    assert place_workers(quickstart) == ()
    claim_gpus(2)
    assert place_workers(quickstart) == ("1", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,6")
    assert place_workers(quickstart) == ("6", "6")
    claim_gpus(1)
    assert place_workers(quickstart) == ("2", "2")


def eight_ranks(gpus: float):
    return parse_config({"distributed": {"processes": 8}, "rollouts": {"workers": 8, "gpus": gpus}})


@pytest.mark.parametrize("gpus", [0.0, 0.4])
def test_place_workers__of_eight_ranks_are_beside_their_ranks(gpus, claim_gpus, monkeypatch):
    claim_gpus(8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    for rank in range(8):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        assert place_workers(eight_ranks(gpus)) == (str(rank),)


def test_place_workers__whole_gpus_beside_ranks_are_refused(claim_gpus, monkeypatch):
    claim_gpus(8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    with pytest.raises(ValueError, match=r"gpus=1 leaves room for 0 workers on 8 GPUs with a rank on 8 of them"):
        place_workers(eight_ranks(1.0))


def test_place_workers__are_left_to_the_ray_of_a_cluster(claim_gpus, monkeypatch):
    claim_gpus(8)
    rollouts = {"workers": 2, "gpus": 0.4}
    assert place_workers(parse_config({"rollouts": {**rollouts, "address": "10.0.0.1:6379"}})) == ()
    assert place_workers(parse_config({"rollouts": rollouts, "distributed": {"launcher": "ray"}})) == ()
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert place_workers(parse_config({"rollouts": rollouts})) == ()
    with pytest.raises(ValueError, match=r"gpus=0 reserves no GPU for the workers of a cluster"):
        place_workers(parse_config({"rollouts": {"workers": 2}}))
    assert place_workers(parse_config({})) == ()  # without workers there is nothing to reserve
