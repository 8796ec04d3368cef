"""Sandbox worker: loads a custom verifier in its own process and answers calls until the pipe closes."""

import faulthandler
import fcntl
import importlib
import inspect
import multiprocessing
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from rewards.python_file import USER_FOLDERS, load_python_file
from rewards.sandbox_answer import read_verdict, verdict_values, write_line


@dataclass(frozen=True, kw_only=True, slots=True)
class KeywordParameters:
    """The keyword parameters of a verifier besides `prompt`.

    Example:
        KeywordParameters(required=("minimum",), optional=("colour",), accepts_any=False)
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    accepts_any: bool
    """Whether it takes any further keyword arguments."""


def serve(
    connection: Connection, reference: str, mebibytes: int, error_log: str, user_folders: Sequence[str] = ()
) -> None:
    """Answer each (number, completion, prompt, kwargs) with the number and a verdict.

    An exception ends the process, logged in `error_log`. `user_folders` are those on the path for files that the parent
    process has loaded.
    """
    sys.stderr = open(error_log, "w", buffering=1)  # noqa: SIM115, open as long as the process lives
    faulthandler.enable(sys.stderr)
    USER_FOLDERS.extend(user_folders)
    _lead_process_group()
    _keep_from_children(connection)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends its workers itself
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    socket.socket.connect = _refuse_connection
    function = load_function(reference)
    keywords = keyword_parameters(function)
    write_line(connection, [keywords.required, keywords.optional, keywords.accepts_any])
    while True:
        try:
            number, completion, prompt, kwargs = connection.recv()
        except EOFError:  # the parent closed the pipe or is gone
            return
        values = verdict_values(function(completion, prompt=prompt, **kwargs))
        read_verdict(values, completion)  # as the parent process will: what it refuses is the function's error here
        write_line(connection, [number, *values])


def load_function(reference: str) -> Callable[..., Any]:
    """Return the function named by `path/to/file.py:function` or `package.module:function`."""
    location, _, name = reference.rpartition(":")
    if not location:
        raise ValueError(f"a verifier must be path/to/file.py:function or package.module:function, got {reference!r}")
    module = load_python_file(Path(location)) if location.endswith(".py") else importlib.import_module(location)
    function = getattr(module, name, None)
    if not callable(function):
        raise ValueError(f"{location} has no function {name!r}")
    return function


def keyword_parameters(function: Callable[..., Any]) -> KeywordParameters:
    """Return the keyword parameters a verifier declares."""
    _, *parameters = inspect.signature(function).parameters.values()
    keyword_only = [item for item in parameters if item.kind is not item.VAR_KEYWORD and item.name != "prompt"]
    return KeywordParameters(
        required=tuple(item.name for item in keyword_only if item.default is item.empty),
        optional=tuple(item.name for item in keyword_only if item.default is not item.empty),
        accepts_any=any(item.kind is item.VAR_KEYWORD for item in parameters),
    )


def _lead_process_group() -> None:
    """Let the verifier start processes: they end with this one, and all of them with the parent process."""
    os.setsid()
    multiprocessing.current_process().daemon = False  # a daemon may have no children
    parent = multiprocessing.parent_process()
    if parent is not None and hasattr(fcntl, "F_SETSIG"):
        # The kernel kills the group when the parent's end of this pipe closes, however the parent ended.
        fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, -os.getpid())
        fcntl.fcntl(parent.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, os.O_ASYNC)


def _keep_from_children(connection: Connection) -> None:
    """Let no process that the verifier starts answer in its place, or hold the pipe open after its end."""
    os.set_inheritable(connection.fileno(), False)
    os.register_at_fork(after_in_child=connection.close)


def _refuse_connection(*_: object) -> NoReturn:
    raise PermissionError("a verifier must not open network connections")
