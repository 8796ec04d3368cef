"""Ranks: as many as were asked for, and what DeepSpeed is told of them."""

import pytest

from rl.common.distributed import broadcast_from_main, check_ranks, deepspeed_config, max_over_ranks, run_on_main
from rl.config.distributed import DistributedConfig


def test_one_process_is_let_through():
    check_ranks(DistributedConfig(), {})
    check_ranks(DistributedConfig(), {"WORLD_SIZE": "1"})


def test_as_many_as_were_started_are_let_through():
    check_ranks(DistributedConfig(processes=2), {"WORLD_SIZE": "2"})


@pytest.mark.parametrize(("processes", "world"), [(2, "1"), (1, "2")])
def test_another_number_is_refused(processes, world):
    with pytest.raises(ValueError, match=rf"processes={processes}, but {world} were started"):
        check_ranks(DistributedConfig(processes=processes), {"WORLD_SIZE": world})


def test_alone_there_is_nobody_to_ask():
    assert broadcast_from_main("mine") == "mine"
    assert max_over_ranks(15) == 15
    assert run_on_main(lambda: 3) == 3
    with pytest.raises(ValueError, match="no such folder"):
        run_on_main(mistaken)


def mistaken() -> None:
    raise ValueError("no such folder")


def test_deepspeed_is_told_the_stage_and_what_to_move():
    assert deepspeed_config(DistributedConfig()) is None
    two = deepspeed_config(DistributedConfig(processes=2, zero=2))
    assert two is not None and two["zero_optimization"]["stage"] == 2
    assert "offload_optimizer" not in two["zero_optimization"]
    moved = deepspeed_config(DistributedConfig(processes=2, zero=3, offload=True))
    assert moved is not None and moved["zero_optimization"]["offload_param"]["device"] == "cpu"
