"""`heed plan` and `heed doctor`: what a run needs and whether this machine has it, before anything starts."""

from pathlib import Path
from typing import Annotated

import typer

from launch.cli.output import AsJson, print_result, user_path
from launch.environment import prepare_environment

Recipe = Annotated[str, typer.Argument(help="A recipe's name, or a YAML file of your own.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY.KEY=VALUE", help="Settings that differ from the recipe.")
]


def plan(
    recipe: Recipe,
    overrides: Overrides = None,
    gpu_memory: Annotated[
        float | None, typer.Option(metavar="GIB", help="Plan for a GPU of this size; default: what this machine has.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run needs (batch sizes, memory, traffic, disk), and exit with code 1 if it would not fit."""
    from launch.plan.build import make_plan
    from launch.plan.device import find_device
    from launch.plan.show import plan_values, show_plan
    from launch.recipes import load_recipe

    planned = make_plan(load_recipe(recipe, overrides or []), find_device(gpu_memory))
    print_result(as_json, lambda: plan_values(planned), show=lambda _: show_plan(planned))
    if planned.errors or not planned.fits:
        raise typer.Exit(1)


def doctor(
    folder: Annotated[Path, typer.Option(parser=user_path, help="Where runs are written.")] = Path("runs"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out the trials: all-reduce, rollout, training.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check whether this machine or cluster is fit to train; exit with code 1 if something would stop a run."""
    prepare_environment()
    from launch.doctor.run import doctor_command

    checks = print_result(as_json, lambda: doctor_command(folder, quick=quick))
    if any(check["level"] == "fail" for check in checks):
        raise typer.Exit(1)
