"""Checks of software: Python and every library against the versions that Heed was tested with."""

import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from launch.doctor.check import Check

EXACT = frozenset({"trl", "transformers", "peft"})
"""Heed wraps whole methods of these; another version may break it without an error."""
PYTHONS = ((3, 11), (3, 14))
"""First version that is supported, and the first that is not."""


def check_python(running: tuple[int, int] = sys.version_info[:2]) -> Check:
    """Check that this Python's version is supported."""
    first, end = PYTHONS
    finding = f"Python {running[0]}.{running[1]}"
    if first <= running < end:
        return Check(name="python", level="pass", finding=finding)
    return Check(name="python", level="fail", finding=finding, fix="make setup PYTHON=/path/to/python3.11")


def check_versions() -> list[Check]:
    """Return one check for the libraries within their ranges, and one for each that is not."""
    needed = [Requirement(line) for line in requires("heed") or ()]
    core = [requirement for requirement in needed if requirement.marker is None]
    return list(compare(core, _installed))


def compare(needed: Iterable[Requirement], installed: Callable[[str], str | None]) -> Iterator[Check]:
    """Compare installed versions with requirements: one check for each misfit, then one for all that fit."""
    num_fitting = 0
    for requirement in needed:
        present = installed(requirement.name)
        if present is not None and requirement.specifier.contains(present, prereleases=True):
            num_fitting += 1
        else:
            yield _misfit(requirement, present)
    yield Check(name="libraries", level="pass", finding=f"{num_fitting} within their tested ranges")


def _misfit(requirement: Requirement, present: str | None) -> Check:
    breaks = present is None or requirement.name in EXACT
    return Check(
        name=requirement.name,
        level="fail" if breaks else "warn",
        finding=f"{present or 'not installed'}, tested with {requirement.specifier}",
        fix="make setup (it installs what requirements.lock names)",
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
