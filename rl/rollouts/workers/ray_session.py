"""Ray's session: the processes that belong to one start of Ray, and how to end what a killed run left behind."""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from rl.common.atomic import write_text

FILE = "ray_session"
"""In the run folder: the name of the session that the run started."""

log = logging.getLogger("heed.session")


def record_session(folder: Path, session: str) -> None:
    write_text(folder / FILE, f"{session}\n")


def end_recorded_session(folder: Path) -> int:
    """End what is left of the session that a run in `folder` started; return how many processes that were.

    A rank that Ray started finds the session that it lives in, and leaves it alone.
    """
    recorded = folder / FILE
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
    """End the session's processes, politely first; return how many there were."""
    processes = list(session_processes(session))
    end_processes(processes)
    return len(processes)


def end_processes(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        _signal(process, "terminate")
    _, stubborn = psutil.wait_procs(processes, timeout=5.0)
    for process in stubborn:
        _signal(process, "kill")
    psutil.wait_procs(stubborn, timeout=5.0)


@contextmanager
def ending_children_on_error() -> Iterator[None]:
    """A start that fails half-way leaves none of the processes that it had begun."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    try:
        yield
    except BaseException:
        begun = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
        # A raylet that died left its agents to init, but a session's name ends with the pid of whoever started it.
        end_processes([*begun, *_processes(re.compile(rf"session_[\d_-]+_{os.getpid()}(/|$)"))])
        raise


def session_processes(session: str) -> Iterator[psutil.Process]:
    """This user's processes of a session, known by its name in their command line or in the path of an open log."""
    if not session.startswith("session_"):
        raise ValueError(f"{session!r} is no name of a Ray session: they begin with session_")
    return _processes(_pattern(session))


def _pattern(session: str) -> re.Pattern[str]:
    return re.compile(re.escape(session) + r"(/|$)")


def _processes(session: re.Pattern[str]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.uids().real == os.getuid() and _belongs(process, session):
                yield process
        except psutil.Error:  # it ended while we looked, or is not ours to look at
            continue


def _belongs(process: psutil.Process, session: re.Pattern[str]) -> bool:
    # Ray's workers and agents rename themselves, but write their logs into the session's folder.
    places = (*process.cmdline(), *(file.path for file in process.open_files()))
    return any(session.search(place) for place in places)


def _signal(process: psutil.Process, name: str) -> None:
    with suppress(psutil.NoSuchProcess):
        getattr(process, name)()
