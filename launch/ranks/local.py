"""Local ranks: the processes of one command that train together on this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from rl.config.distributed import DistributedConfig
from rl.runs.signals import UNFINISHED

TIMEOUT_SECONDS = 30.0
"""Time for the other ranks to end by themselves once one has failed."""
POLL_SECONDS = 0.2
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that a terminal or a scheduler may send to a whole process group."""


def must_start_ranks(distributed: DistributedConfig) -> bool:
    """Whether this process has to start the ranks, and no launcher such as torchrun has.

    There are several, or one that DeepSpeed shards, which takes a process without a launcher for one of MPI's.
    """
    needed = distributed.processes > 1 or distributed.on_ray or distributed.zero > 0
    return needed and "WORLD_SIZE" not in os.environ


def start_ranks(command: Sequence[str], processes: int, *, timeout: float = TIMEOUT_SECONDS) -> int:
    """Run the command once per rank, connected over the loopback interface; return the first failure's exit code.

    Without one it is 0, or UNFINISHED once the ranks have saved; of a rank that a signal killed it is 128 + its number.

    Signals are passed on; the ranks are in groups of their own, so that one sent to this process's group reaches each
    of them once. When a rank fails, the others, which would wait for ever, are ended after `timeout` seconds.
    """
    port = _free_port()
    ranks = [
        subprocess.Popen(command, env=_environment(rank, processes, port), process_group=0) for rank in range(processes)
    ]
    before = {
        number: signal.signal(number, lambda received, _: [rank.send_signal(received) for rank in ranks])
        for number in FORWARDED
    }
    try:
        return _wait(ranks, timeout)
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment(rank: int, processes: int, port: int) -> dict[str, str]:
    variables = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    threads = max(1, len(os.sched_getaffinity(0)) // processes)
    return {
        "OMP_NUM_THREADS": str(threads),  # by default every rank would take all cores
        **os.environ,
        **{name: str(value) for name, value in variables.items()},
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(ranks: Sequence[subprocess.Popen], timeout: float) -> int:
    while True:
        codes = [rank.poll() for rank in ranks]
        failed = [(rank, code) for rank, code in enumerate(codes) if code not in (None, 0, UNFINISHED)]
        if failed:
            _end_others(ranks, *failed[0], timeout)
            return _as_shell(failed[0][1])
        if None not in codes:
            return max(code or 0 for code in codes)
        time.sleep(POLL_SECONDS)


def _as_shell(code: int) -> int:
    """Return the exit code as a shell reports it, which schedulers read."""
    return code if code >= 0 else 128 - code


def _end_others(ranks: Sequence[subprocess.Popen], failed: int, code: int, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and any(rank.poll() is None for rank in ranks):
        time.sleep(POLL_SECONDS)
    waiting = [str(number) for number, rank in enumerate(ranks) if rank.poll() is None]
    if waiting:
        reason = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        print(f"heed: rank {failed} {reason}; ending rank {', '.join(waiting)}, which waits for it", file=sys.stderr)
