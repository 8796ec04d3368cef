"""Errors: what the user can mend, and what ends a run that had begun, each told in one sentence."""

from attention_probes.errors import ProbeError
from rewards.errors import InputError


class UserError(ValueError):
    """Something that the user can mend; the message says what is wrong and what to do, and needs no traceback."""


USER_ERRORS = (UserError, InputError, ProbeError, OSError)
"""All of that kind: ours, those of the packages below, and the operating system's (a missing file, a full disk).

Any other error is a bug, ours or that of a function the user wrote, and keeps its traceback.
"""


class RunFailure(RuntimeError):
    """The run cannot go on.

    The message names the worker, the step, the groups and the first cause; the caller that knows the run folder adds
    how to continue.
    """
