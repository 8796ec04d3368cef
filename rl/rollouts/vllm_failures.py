"""Failures of vLLM: its own last error, wherever it was written, and whether another try would mend it."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rl.common.errors import RunFailure

NO_REASON = ("Engine core initialization failed", "WorkerProc initialization failed", "Engine core proc ")
"""How messages begin with which vLLM only says that one of its processes has failed."""
TRANSIENT = {
    "BrokenPipeError",
    "ConnectionError",
    "ConnectionResetError",
    "DistNetworkError",
    "OSError",
    "TimeoutError",
}
"""Errors of ports and connections, which may be gone at the next try; memory, options and kernels stay as they are."""
OPTION_ERROR = re.compile(r"\d+ validation errors? for \w+ (?:Value error, )?(.+?) \[type=.*")
"""pydantic's form of a refused option, around the reason."""
ERROR_LINE = re.compile(r"(?:^|[\s\]:.])([A-Z]\w*(?:Error|Exception)): (.+)$", re.MULTILINE)


@contextmanager
def failing_with_reason() -> Iterator[None]:
    """Raise vLLM's own error in place of one that only says where it happened.

    Raises RunFailure for a reason that no other try mends, and RuntimeError else.
    """
    marks = {descriptor: os.fstat(descriptor).st_size for descriptor in _output_files()}
    try:
        yield
    except RunFailure:
        raise
    except Exception as error:
        kind, reason = own_error(error, "\n".join(_written(*mark) for mark in marks.items()))
        if kind in TRANSIENT:
            raise RuntimeError(f"{kind}: {reason}") from error
        raise RunFailure(f"vLLM: {kind}: {reason} (its options are rollouts.vllm.*)") from error


def own_error(error: BaseException, written: str) -> tuple[str, str]:
    """Return kind and message of the error itself, or of the last one in `written` if it gives no reason."""
    kind, reason = type(error).__name__, OPTION_ERROR.sub(r"\1", " ".join(str(error).split()))
    if reason and not reason.startswith(NO_REASON):
        return kind, reason
    reasons = [found for found in ERROR_LINE.findall(written) if not found[1].startswith(NO_REASON)]
    return reasons[-1] if reasons else (kind, reason)


def _output_files() -> list[int]:
    """Return those of standard output and error that are files, as in a worker of Ray's; a terminal has been read."""
    return [descriptor for descriptor in (1, 2) if stat.S_ISREG(os.fstat(descriptor).st_mode)]


def _written(descriptor: int, start: int) -> str:
    return Path(f"/proc/self/fd/{descriptor}").read_bytes()[start:].decode(errors="replace")
