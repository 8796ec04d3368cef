"""Ranks: as many as were asked for, and what DeepSpeed is told of them."""

import pytest

from rl.common.distributed import any_rank, check_ranks, deepspeed_config, from_first, on_first
from rl.config.distributed import Distributed


def test_one_process_is_let_through():
    check_ranks(Distributed(), {})
    check_ranks(Distributed(), {"WORLD_SIZE": "1"})


def test_as_many_as_were_started_are_let_through():
    check_ranks(Distributed(processes=2), {"WORLD_SIZE": "2"})


@pytest.mark.parametrize(("processes", "world"), [(2, "1"), (1, "2")])
def test_another_number_is_refused(processes, world):
    with pytest.raises(ValueError, match=rf"processes={processes}, but {world} were started"):
        check_ranks(Distributed(processes=processes), {"WORLD_SIZE": world})


def test_alone_there_is_nobody_to_ask():
    assert from_first("mine") == "mine"
    assert any_rank(15) == 15
    assert on_first(lambda: 3) == 3
    with pytest.raises(ValueError, match="no such folder"):
        on_first(mistaken)


def mistaken() -> None:
    raise ValueError("no such folder")


def test_deepspeed_is_told_the_stage_and_what_to_move():
    assert deepspeed_config(Distributed()) is None
    two = deepspeed_config(Distributed(processes=2, zero=2))
    assert two is not None and two["zero_optimization"]["stage"] == 2
    assert "offload_optimizer" not in two["zero_optimization"]
    moved = deepspeed_config(Distributed(processes=2, zero=3, offload=True))
    assert moved is not None and moved["zero_optimization"]["offload_param"]["device"] == "cpu"
