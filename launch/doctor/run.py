"""All checks, one after the other, shown as they come."""

from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from launch.doctor.check import Check
from launch.doctor.cluster import check_cluster
from launch.doctor.machine import (
    check_devices,
    check_disk,
    check_memory,
    check_ports,
    check_run_folder,
)
from launch.doctor.services import check_models, check_wandb
from launch.doctor.software import check_python, check_versions
from launch.doctor.trial import try_all_reduce, try_rollout

COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


def examine(folder: Path, *, quick: bool = False) -> Iterator[Check]:
    """Every check; `quick` leaves out the two trials."""
    checks: list[Callable[[], Check | list[Check]]] = [
        check_python,
        check_versions,
        check_devices,
        check_memory,
        lambda: check_disk(folder),
        lambda: check_run_folder(folder),
        check_ports,
        check_wandb,
        check_models,
        check_cluster,
        *([] if quick else [try_all_reduce, try_rollout]),
    ]
    for check in checks:
        outcome = check()
        yield from [outcome] if isinstance(outcome, Check) else outcome


def show_check(console: Console, check: Check) -> None:
    """One line, and its cure below it."""
    colour = COLOURS[check.level]
    console.print(
        f"[{colour}]{check.level}[/{colour}]  [bold]{check.name}[/bold]: {escape(check.found)}", highlight=False
    )
    if check.fix:
        console.print(f"      {escape(check.fix)}", highlight=False)
