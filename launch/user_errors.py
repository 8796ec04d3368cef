"""Told: which errors are the user's to mend, and which are bugs of ours that keep their traceback."""

import dis
from types import TracebackType

PACKAGES = frozenset({"attention_probes", "data", "launch", "rewards", "rl"})


def is_user_error(error: OSError | ValueError) -> bool:
    """Whether an error tells the user something, rather than us that there is a bug.

    The operating system's errors do (a missing file, a full disk), and so does a `raise` statement of our own code. A
    ValueError out of a library, or out of any other statement of ours, is a bug and keeps its traceback.
    """
    return isinstance(error, OSError) or _raised_by_us(error.__traceback__)


def _raised_by_us(trace: TracebackType | None) -> bool:
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    is_raise = dis.opname[frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"
    return is_raise and frame.f_globals["__name__"].partition(".")[0] in PACKAGES
