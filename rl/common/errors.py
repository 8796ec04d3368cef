"""Errors with one sentence for the user: what can be mended, and why a run cannot go on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attention_probes.errors import ProbeError
from rewards.errors import InputError


class UserError(ValueError):
    """Something that the user can mend; the message says what is wrong and what to do, and needs no traceback."""


USER_ERRORS = (UserError, InputError, ProbeError, OSError)
"""The errors that the user can mend, of all packages and of the operating system (a missing file, a full disk).

Any other error is a bug, in Heed or in a function the user wrote, and keeps its traceback.
"""


class RunFailure(RuntimeError):
    """The run cannot go on.

    The message names the worker, the step, the groups and the first cause; the caller that knows the run folder adds
    how to continue.
    """


def full_message(error: BaseException) -> str:
    """Return an error's message and the notes that were added to it, a line each."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


@contextmanager
def during_run(where: Callable[[], str]) -> Iterator[None]:
    """Add to an error of the block where the run was; raise RunFailure for one that the user can mend.

    A RunFailure says by itself where it happened.
    """
    try:
        yield
    except RunFailure:
        raise
    except Exception as error:
        error.add_note(where())
        if isinstance(error, USER_ERRORS):
            raise RunFailure(full_message(error)) from error
        raise
