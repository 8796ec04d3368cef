"""Ranks: their number, what they exchange, and the settings of DeepSpeed."""

import json
import sys
from pathlib import Path

import pytest

from launch.ranks.local import start_ranks
from rl.common.distributed import broadcast_from_main, check_ranks, deepspeed_config, max_over_ranks, run_on_main
from rl.config.distributed import DistributedConfig


def test_check_ranks__one_process_passes():
    check_ranks(DistributedConfig(), {})
    check_ranks(DistributedConfig(), {"WORLD_SIZE": "1"})


def test_check_ranks__the_number_that_was_started_passes():
    check_ranks(DistributedConfig(processes=2), {"WORLD_SIZE": "2"})


@pytest.mark.parametrize(("processes", "world"), [(2, "1"), (1, "2")])
def test_check_ranks__another_number_is_refused(processes, world):
    with pytest.raises(ValueError, match=rf"processes={processes}, but {world} were started"):
        check_ranks(DistributedConfig(processes=processes), {"WORLD_SIZE": world})


def test_exchanges__a_single_process_keeps_its_values_and_errors():
    assert broadcast_from_main("mine") == "mine"
    assert max_over_ranks(15) == 15
    assert run_on_main(lambda: 3) == 3
    with pytest.raises(ValueError, match="no such folder"):
        run_on_main(fail)


def test_exchanges__an_error_of_one_rank_ends_the_others_at_once(tmp_path):
    script = Path(__file__).with_name("failing_ranks.py")
    assert start_ranks([sys.executable, str(script), str(tmp_path)], 2) == 0
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["shared"] == second["shared"] == "[0, 1, 4]"
    # item 3 is the second rank's; the first says whose error ended it
    assert second["failing"] == "KeyError('sea')"
    assert first["failing"] == """RunFailure("rank 1: 'sea'")"""
    assert first["main"] == second["main"] == "'done'"
    assert first["failing main"] == "TypeError('not a number')"
    assert second["failing main"] == "SystemExit(1)"  # the code of a bug, as the first rank's


def fail() -> None:
    raise ValueError("no such folder")


def test_deepspeed_config__has_the_stage_and_what_is_offloaded():
    assert deepspeed_config(DistributedConfig()) is None
    two = deepspeed_config(DistributedConfig(processes=2, zero=2))
    assert two is not None and two["zero_optimization"]["stage"] == 2
    assert "offload_optimizer" not in two["zero_optimization"]
    moved = deepspeed_config(DistributedConfig(processes=2, zero=3, offload=True))
    assert moved is not None and moved["zero_optimization"]["offload_param"]["device"] == "cpu"
