"""Local ranks: as many processes of the same command as train together on this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from rl.config.distributed import DistributedConfig

TIMEOUT_SECONDS = 30.0
"""Seconds that the others have to end by themselves once a rank has failed."""
LOOK = 0.2


def must_start_ranks(distributed: DistributedConfig) -> bool:
    """Whether this process has to start the ranks, because nobody (torchrun, say) has said who is who."""
    return (distributed.processes > 1 or distributed.on_ray) and "WORLD_SIZE" not in os.environ


def start_ranks(command: Sequence[str], processes: int, *, patience: float = TIMEOUT_SECONDS) -> int:
    """Run the command in so many processes, on the loopback interface; the exit code is the first failure's, or 0.

    Signals are passed on. When a rank fails, the others are ended, after `patience` seconds: they would wait for ever.
    """
    port = _free_port()
    ranks = [subprocess.Popen(command, env=_environment(rank, processes, port)) for rank in range(processes)]
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda received, _: _pass_on(ranks, received))
    try:
        return _wait(ranks, patience)
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment(rank: int, processes: int, port: int) -> dict[str, str]:
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    threads = max(1, len(os.sched_getaffinity(0)) // processes)
    return {
        "OMP_NUM_THREADS": str(threads),  # else every rank takes all cores
        **os.environ,
        **{name: str(value) for name, value in names.items()},
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def _free_port() -> int:
    with socket.socket() as recording:
        recording.bind(("127.0.0.1", 0))
        return recording.getsockname()[1]


def _pass_on(ranks: Sequence[subprocess.Popen], number: int) -> None:
    # Ctrl-C reaches the whole foreground group by itself.
    if number != signal.SIGINT or not sys.stdin.isatty():
        for rank in ranks:
            rank.send_signal(number)


def _wait(ranks: Sequence[subprocess.Popen], patience: float) -> int:
    while True:
        codes = [rank.poll() for rank in ranks]
        failed = [(number, code) for number, code in enumerate(codes) if code]
        if failed and None in codes:
            return _end_others(ranks, *failed[0], patience)
        if None not in codes:
            return failed[0][1] if failed else 0
        time.sleep(LOOK)


def _end_others(ranks: Sequence[subprocess.Popen], number: int, code: int, patience: float) -> int:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and any(rank.poll() is None for rank in ranks):
        time.sleep(LOOK)
    waiting = [str(place) for place, rank in enumerate(ranks) if rank.poll() is None]
    if waiting:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        print(f"heed: rank {number} {how}; ending rank {', '.join(waiting)}, which waits for it", file=sys.stderr)
    return code
