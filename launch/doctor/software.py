"""Software: Python and every library against the versions Heed was tested with."""

import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from launch.doctor.check import Check

EXACT = frozenset({"trl", "transformers", "peft"})
"""Heed wraps whole methods of these; another version may break it in silence."""
PYTHONS = ((3, 11), (3, 14))
"""First version that is supported, and the first that is not."""


def check_python(running: tuple[int, int] = sys.version_info[:2]) -> Check:
    first, end = PYTHONS
    found = f"Python {running[0]}.{running[1]}"
    if first <= running < end:
        return Check(name="python", level="pass", found=found)
    return Check(name="python", level="fail", found=found, fix="make setup PYTHON=/path/to/python3.11")


def check_versions() -> list[Check]:
    """One check for the libraries that fit, and one for each that does not."""
    needed = [Requirement(line) for line in requires("heed") or ()]
    core = [requirement for requirement in needed if requirement.marker is None]
    return list(compare(core, _installed))


def compare(needed: Iterable[Requirement], installed: Callable[[str], str | None]) -> Iterator[Check]:
    """Hold what is installed against what is needed."""
    fitting = []
    for requirement in needed:
        found = installed(requirement.name)
        if found is not None and requirement.specifier.contains(found, prereleases=True):
            fitting.append(requirement.name)
        else:
            yield _misfit(requirement, found)
    yield Check(name="libraries", level="pass", found=f"{len(fitting)} within their tested ranges")


def _misfit(requirement: Requirement, found: str | None) -> Check:
    breaks = found is None or requirement.name in EXACT
    return Check(
        name=requirement.name,
        level="fail" if breaks else "warn",
        found=f"{found or 'not installed'}, tested with {requirement.specifier}",
        fix="make setup (it installs what requirements.lock names)",
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
