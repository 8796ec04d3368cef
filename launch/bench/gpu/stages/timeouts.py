"""Stage: whether the ranks' process group waits as long as it was asked to, by NCCL as by gloo."""

import os
from collections.abc import Iterator

import torch
import torch.distributed

from launch.bench.gpu.stage import Row, Setup
from launch.bench.gpu.trainings import single_rank
from rl.common.distributed import group_timeout, init_distributed
from rl.config.distributed import DistributedConfig

LONGEST_WAIT = 2700.0
"""Seconds of a hung worker at the default settings: three tries of 600 s, each with a start of 300 s."""


def measure(setup: Setup) -> Iterator[Row]:
    """Yield the timeout that the group has, after a first collective."""
    os.environ.update(single_rank())
    # Two are asked for, as a single process has no group; the environment says that this one is alone in it.
    init_distributed(DistributedConfig(processes=2), longest_wait=LONGEST_WAIT)
    tensor = torch.ones(1, device=setup.device)
    torch.distributed.all_reduce(tensor)
    row = timeout_row(setup)
    torch.distributed.destroy_process_group()
    yield row


def timeout_row(setup: Setup) -> Row:
    group = torch.distributed.group.WORLD
    assert group is not None
    seconds = group._get_backend(torch.device(setup.device)).options._timeout.total_seconds()
    asked = group_timeout(LONGEST_WAIT).total_seconds()
    row: Row = {"backend": torch.distributed.get_backend(), "asked_seconds": asked, "group_seconds": seconds}
    if seconds != asked:
        row["finding"] = f"the process group waits {seconds:.0f} s, and {asked:.0f} were asked for"
    return row
