"""Ray session: the processes of one start of Ray, which are found and ended when a killed run has left them."""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from rl.common.atomic import write_text

SESSION_FILE = "ray_session"
"""File in the run folder with the name of the session that the run started."""

log = logging.getLogger("heed.session")


def record_session(folder: Path, session: str) -> None:
    write_text(folder / SESSION_FILE, f"{session}\n")


def end_recorded_session(folder: Path) -> int:
    """End what is left of the session that a run in `folder` started; return the number of processes ended.

    A rank that Ray started runs in that very session, and leaves it alone.
    """
    recorded = folder / SESSION_FILE
    if not recorded.exists():
        return 0
    session = recorded.read_text().strip()
    if _belongs(psutil.Process(), _pattern(session)):
        return 0
    ended = end_session(session)
    recorded.unlink()
    if ended:
        log.warning("ended %d Ray processes that the killed run had left behind", ended)
    return ended


def end_session(session: str) -> int:
    """End a session's processes; return how many there were."""
    processes = list(session_processes(session))
    end_processes(processes)
    return len(processes)


def end_processes(processes: Sequence[psutil.Process]) -> None:
    """Send SIGTERM, and SIGKILL to those that are still there after 5 s."""
    for process in processes:
        _signal(process, "terminate")
    _, remaining = psutil.wait_procs(processes, timeout=5.0)
    for process in remaining:
        _signal(process, "kill")
    psutil.wait_procs(remaining, timeout=5.0)


@contextmanager
def ending_children_on_error() -> Iterator[None]:
    """End the child processes that were started in the block, if it raises."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    try:
        yield
    except BaseException:
        started = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
        # A dead raylet's agents are no longer our children, but their session's name ends with this process's id.
        end_processes([*started, *_processes(re.compile(rf"session_[\d_-]+_{os.getpid()}(/|$)"))])
        raise


def session_processes(session: str) -> Iterator[psutil.Process]:
    """Find this user's processes of a session, by its name in their command line or in the path of an open log."""
    if not session.startswith("session_"):
        raise ValueError(f"{session!r} is not the name of a Ray session: those begin with session_")
    return _processes(_pattern(session))


def _pattern(session: str) -> re.Pattern[str]:
    return re.compile(re.escape(session) + r"(/|$)")


def _processes(session: re.Pattern[str]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.uids().real == os.getuid() and _belongs(process, session):
                yield process
        except psutil.Error:  # it has ended, or belongs to another user
            continue


def _belongs(process: psutil.Process, session: re.Pattern[str]) -> bool:
    # Ray's workers and agents rename themselves, but write their logs into the session's folder.
    texts = (*process.cmdline(), *(file.path for file in process.open_files()))
    return any(session.search(text) for text in texts)


def _signal(process: psutil.Process, name: str) -> None:
    with suppress(psutil.NoSuchProcess):
        getattr(process, name)()
