"""Fixtures of the command line's tests."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from rl.config.root import Config

Body = Callable[[Config], Path]


@pytest.fixture
def train_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[Body], None]:
    """Return a function that puts a body in the place of the real training."""
    return lambda body: monkeypatch.setitem(sys.modules, "rl.train", SimpleNamespace(train=body))


@pytest.fixture
def heed() -> Callable[..., int]:
    """Return a function that runs the command line in this process and returns its exit code."""
    from launch.cli.main import main

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        return int(stop.value.code or 0)

    return run
