"""A rank of two that meet errors of one of them: prints, as JSON, what this rank sees. Run by test_distributed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rl.common.distributed import init_distributed, is_main_process, map_over_ranks, run_on_main
from rl.config.distributed import DistributedConfig


def outcome(function: Callable[[], Any]) -> str:
    try:
        return repr(function())
    except BaseException as error:
        return repr(error)


def squared(number: int) -> int:
    if number == 3:
        raise KeyError("sea")
    return number * number


def fail() -> None:
    raise TypeError("not a number")


if __name__ == "__main__":
    state = init_distributed(DistributedConfig(processes=2))
    seen = {
        "shared": outcome(lambda: map_over_ranks(squared, [0, 1, 2])),
        "failing": outcome(lambda: map_over_ranks(squared, list(range(100)))),
        "main": outcome(lambda: run_on_main(lambda: "done")),
        "failing main": outcome(lambda: run_on_main(fail)),
    }
    assert is_main_process() == (state.process_index == 0)
    Path(sys.argv[1], f"{state.process_index}.json").write_text(json.dumps(seen))
