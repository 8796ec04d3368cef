"""All checks of the doctor, one after the other, each printed as it comes."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from launch.doctor.check import Check
from launch.doctor.cluster import check_cluster
from launch.doctor.facts import gather_cpu_facts, gather_gpu_facts
from launch.doctor.gpu import check_devices
from launch.doctor.machine import check_disk, check_memory, check_ports, check_run_folder
from launch.doctor.services import check_models, check_wandb
from launch.doctor.software import check_python, check_versions
from launch.doctor.trial import try_all_reduce, try_rollout, try_training

COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


def doctor_command(folder: Path, *, quick: bool = False) -> list[dict[str, Any]]:
    """Run and print every check, and return them as plain values; the body of `heed doctor`."""
    console, checks = Console(), []
    for check in run_checks(folder, quick=quick):
        print_check(console, check)
        checks.append(asdict(check))
    return checks


def run_checks(folder: Path, *, quick: bool = False) -> Iterator[Check]:
    """Yield every check, `folder` being where runs are written; `quick` leaves out the trials."""
    checks: list[Callable[[], Check | list[Check]]] = [
        check_python,
        check_versions,
        lambda: check_devices(gather_gpu_facts(), gather_cpu_facts()),
        check_memory,
        lambda: check_disk(folder),
        lambda: check_run_folder(folder),
        check_ports,
        check_wandb,
        check_models,
        check_cluster,
        *([] if quick else [try_all_reduce, try_rollout, try_training]),
    ]
    for check in checks:
        outcome = check()
        yield from [outcome] if isinstance(outcome, Check) else outcome


def print_check(console: Console, check: Check) -> None:
    """Print one line for the check, and what to do about it below."""
    colour = COLOURS[check.level]
    console.print(
        f"[{colour}]{check.level}[/{colour}]  [bold]{check.name}[/bold]: {escape(check.finding)}", highlight=False
    )
    if check.fix:
        console.print(f"      {escape(check.fix)}", highlight=False)
