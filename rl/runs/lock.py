"""Run lock: one process at a time starts or resumes a run in a folder; the lock dies with its process."""

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rl.common.errors import UserError

LOCK = "lock"
"""File in the run folder while a process trains there; it holds that process's id and host."""
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)
"""Errors of file systems without locks."""

log = logging.getLogger("heed.lock")


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Lock the run folder for the block. Raises UserError naming the process that holds it."""
    file = _locked_file(folder)
    try:
        os.ftruncate(file, 0)
        os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        os.close(file)  # ends the lock, as the end of the process does


def _locked_file(folder: Path) -> int:
    """Return the descriptor of the folder's lock file, locked."""
    while True:
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(file, folder)
            # The process that had the lock before may have removed this file since it was opened.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), os.stat(folder / LOCK)):
                    return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _lock(file: int, folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(file, 1000).decode(errors="replace").strip() or "another process"
        raise UserError(
            f"{folder} is in use by {holder}: wait until that run ends, stop it (touch {folder / 'stop'}), or choose "
            "another run.folder"
        ) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        log.warning("%s cannot be locked (%s): start no second run in it", folder, error.strerror)
