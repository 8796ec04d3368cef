"""`heed plan`, `heed doctor`: what a run would need, and whether this machine has it, before it starts."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from launch.cli.output import AsJson, echo_json, talking_on_stderr
from launch.environment import prepare_environment

Recipe = Annotated[str, typer.Argument(help="A recipe's name, or a YAML file of your own.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY.KEY=VALUE]...", help="Settings that differ from the recipe.")
]


def plan(
    recipe: Recipe,
    overrides: Overrides = None,
    gpu_memory: Annotated[
        float | None, typer.Option(metavar="GIB", help="Plan for a GPU of this size; default: what this machine has.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a run would do and need: batch sizes, memory, traffic, disk; exit code 1 if it cannot run so."""
    from rich.console import Console

    from launch.plan.build import make_plan
    from launch.plan.device import find_device
    from launch.plan.show import plan_values, show_plan
    from launch.recipes import load_recipe

    made = make_plan(load_recipe(recipe, overrides or []), find_device(gpu_memory))
    if as_json:
        echo_json(plan_values(made))
    else:
        show_plan(Console(), made)
    if made.mistakes or not made.fits:
        raise typer.Exit(1)


def doctor(
    folder: Annotated[Path, typer.Option(help="Where runs are written.")] = Path("runs"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out the trial all-reduce and the trial rollout.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether this machine or cluster is fit to train; exit code 1 if something would stop a run."""
    from rich.console import Console

    from launch.doctor.run import examine, show_check

    checks = []
    with talking_on_stderr(as_json):
        prepare_environment()
        for check in examine(folder, quick=quick):
            checks.append(check)
            if not as_json:
                show_check(Console(), check)
    if as_json:
        echo_json([asdict(check) for check in checks])
    if any(check.level == "fail" for check in checks):
        raise typer.Exit(1)
