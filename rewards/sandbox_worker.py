"""Sandbox worker: loads a custom verifier in its own process and answers calls until the pipe closes."""

import faulthandler
import importlib
import importlib.util
import inspect
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from rewards.verdict import Verdict


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


def serve(connection: Connection, reference: str, mebibytes: int, error_log: str) -> None:
    """Answer each (completion, prompt, kwargs) with a verdict; an exception ends the process, logged in `error_log`."""
    sys.stderr = open(error_log, "w", buffering=1)  # noqa: SIM115, open as long as the process lives
    faulthandler.enable(sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends its workers itself
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    socket.socket.connect = _refuse_connection
    function = load_function(reference)
    connection.send(keyword_parameters(function))
    while True:
        try:
            completion, prompt, kwargs = connection.recv()
        except EOFError:  # the parent closed the pipe or is gone
            return
        verdict = function(completion, prompt=prompt, **kwargs)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"{reference} must return a Verdict, got {verdict!r}")
        if any(end > len(completion) for _, end in verdict.evidence):
            raise ValueError(f"{reference} gave evidence {verdict.evidence} for a text of {len(completion)} characters")
        connection.send(verdict)


def load_function(reference: str) -> Callable[..., Any]:
    """Return the function named by `path/to/file.py:function` or `package.module:function`."""
    location, _, name = reference.rpartition(":")
    if not location:
        raise ValueError(f"a verifier must be path/to/file.py:function or package.module:function, got {reference!r}")
    module = _from_file(Path(location)) if location.endswith(".py") else importlib.import_module(location)
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


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, "a path that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _refuse_connection(*_: object) -> NoReturn:
    raise PermissionError("a verifier must not open network connections")
