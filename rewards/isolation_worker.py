"""What runs in the process of an isolated verifier: load the function, answer requests until the pipe closes."""

import faulthandler
import importlib
import importlib.util
import resource
import socket
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from rewards.verdict import Verdict


def serve(connection: Connection, reference: str, mebibytes: int, errors: str) -> None:
    """Answer (completion, prompt, kwargs) with a verdict; what is raised ends the process and lands in `errors`."""
    sys.stderr = open(errors, "w", buffering=1)  # noqa: SIM115, open as long as the process lives
    faulthandler.enable(sys.stderr)
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    socket.socket.connect = _refuse
    function = load(reference)
    connection.send("ready")
    while True:
        try:
            completion, prompt, kwargs = connection.recv()
        except EOFError:  # the parent closed the pipe or is gone
            return
        verdict = function(completion, prompt=prompt, **kwargs)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"{reference} must return a Verdict, got {verdict!r}")
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


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, "a path that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _refuse(*_: object) -> NoReturn:
    raise PermissionError("a verifier opens no connections")
