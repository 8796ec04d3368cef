"""What runs in the process of an isolated verifier: load the function, answer requests until the pipe closes."""

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
class Keywords:
    """The keyword arguments of a verifier, besides `prompt`.

    Example:
        Keywords(required=("minimum",), optional=("colour",), others=False)
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    others: bool
    """Whether it takes any further ones."""


def serve(connection: Connection, reference: str, mebibytes: int, errors: str) -> None:
    """Answer (completion, prompt, kwargs) with a verdict; what is raised ends the process and lands in `errors`."""
    sys.stderr = open(errors, "w", buffering=1)  # noqa: SIM115, open as long as the process lives
    faulthandler.enable(sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends its workers itself
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    socket.socket.connect = _refuse
    function = load(reference)
    connection.send(keywords_of(function))
    while True:
        try:
            completion, prompt, kwargs = connection.recv()
        except EOFError:  # the parent closed the pipe or is gone
            return
        verdict = function(completion, prompt=prompt, **kwargs)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"{reference} must return a Verdict, got {verdict!r}")
        if any(end > len(completion) for _, end in verdict.evidence):
            raise ValueError(f"{reference} gave evidence {verdict.evidence} in a text of {len(completion)} characters")
        connection.send(verdict)


def load(reference: str) -> Callable[..., Any]:
    """The function named by `path/to/file.py:function` or `package.module:function`."""
    place, _, name = reference.rpartition(":")
    if not place:
        raise ValueError(f"a verifier is path/to/file.py:function or package.module:function, got {reference!r}")
    module = _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    function = getattr(module, name, None)
    if not callable(function):
        raise ValueError(f"{place} has no function {name!r}")
    return function


def keywords_of(function: Callable[..., Any]) -> Keywords:
    """The keyword arguments a verifier declares."""
    _, *parameters = inspect.signature(function).parameters.values()
    named = [item for item in parameters if item.kind is not item.VAR_KEYWORD and item.name != "prompt"]
    return Keywords(
        required=tuple(item.name for item in named if item.default is item.empty),
        optional=tuple(item.name for item in named if item.default is not item.empty),
        others=any(item.kind is item.VAR_KEYWORD for item in parameters),
    )


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, "a path that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _refuse(*_: object) -> NoReturn:
    raise PermissionError("a verifier opens no connections")
