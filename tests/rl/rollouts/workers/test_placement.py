"""Placement: where workers go, from counts alone."""

import pytest

from rl.common.threads import torch_threads
from rl.config.load import parse_config
from rl.rollouts.workers.placement import cuda_name, describe_threads, worker_gpus


def placed(workers: int, *, ranks: int, gpus: int, share: float) -> list[tuple[int, ...]]:
    return [worker_gpus(rank, workers, ranks=ranks, gpus=gpus, share=share) for rank in range(ranks)]


def test_worker_gpus__go_to_the_gpus_without_a_rank_first():
    # the rank is on GPU 0; without a stated share all are on GPU 1
    assert placed(2, ranks=1, gpus=2, share=0.0) == [(1, 1)]
    # 1.0 free on GPU 1, then 0.6 against the 0.5 beside the rank, then 0.2: the third goes beside the rank
    assert placed(3, ranks=1, gpus=2, share=0.4) == [(1, 1, 0)]
    assert placed(3, ranks=1, gpus=4, share=1.0) == [(1, 2, 3)]


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_worker_gpus__without_free_gpus_each_is_beside_its_own_rank(share):
    assert placed(1, ranks=8, gpus=8, share=share) == [(rank,) for rank in range(8)]


def test_worker_gpus__small_workers_share_a_gpu_evenly():
    # each rank leaves 0.5, which is two workers of 0.25
    assert placed(2, ranks=2, gpus=2, share=0.25) == [(0, 0), (1, 1)]
    # five go where 1.0 is free, then each GPU in turn has more; 1.5 in all, although tenths do not sum up exactly
    assert placed(15, ranks=1, gpus=2, share=0.1) == [(1, 1, 1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1)]


@pytest.mark.parametrize(
    ("workers", "ranks", "gpus", "share", "room"),
    [(1, 8, 8, 1.0, 0), (2, 8, 8, 0.4, 8), (4, 1, 2, 0.4, 3), (16, 1, 2, 0.1, 15)],
)
def test_worker_gpus__more_than_fit_are_refused(workers, ranks, gpus, share, room):
    with pytest.raises(ValueError, match=rf"gpus={share:g} leaves room for {room} workers on {gpus} GPUs"):
        worker_gpus(0, workers, ranks=ranks, gpus=gpus, share=share)


def test_worker_gpus__without_gpus_there_is_nothing_to_place():
    assert worker_gpus(0, 3, ranks=2, gpus=0, share=0.0) == ()
    with pytest.raises(ValueError, match=r"rollouts\.gpus=0\.5, but no GPU can be seen"):
        worker_gpus(0, 1, ranks=1, gpus=0, share=0.5)


def test_cuda_name__is_that_of_the_visible_ones(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert cuda_name(1) == "1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-7c")
    assert (cuda_name(0), cuda_name(1)) == ("4", "GPU-7c")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rollouts": {"workers": 2, "threads": 1}}, "2 rollout workers with 1 each, by turns"),
        ({"rollouts": {"workers": 2, "threads": 1, "address": "auto"}}, None),  # its cluster's nodes have them
        ({"algorithm": "dpo", "data": {"path": "pairs.jsonl"}}, None),  # nothing is sampled
    ],
)
def test_describe_threads__speaks_of_what_runs_on_this_machine(monkeypatch, settings, told):
    monkeypatch.setattr("rl.rollouts.workers.placement.available_cores", lambda: 2)
    monkeypatch.setattr("rl.rollouts.workers.placement.visible_gpus", lambda: 0)
    with torch_threads(2):
        line = describe_threads(parse_config(settings))
    assert line == (told and f"Threads on 2 cores: learning with 2, {told}")
