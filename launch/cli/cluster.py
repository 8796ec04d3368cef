"""`heed launch`: a run handed to a cluster's scheduler, rendered from a recipe and a spec of the machines."""

from pathlib import Path
from typing import Annotated

import typer

from launch.cli.output import AsJson, output_option, print_result, user_path
from launch.cli.plan_doctor import Overrides, Recipe
from launch.cluster.targets import Target


def launch(
    target: Annotated[Target, typer.Argument(help="The scheduler; ray-job is for a Ray cluster that already runs.")],
    recipe: Recipe,
    overrides: Overrides = None,
    spec: Annotated[
        Path | None,
        typer.Option(parser=user_path, help="A YAML file about the machines; default: one node without GPUs."),
    ] = None,
    output: Annotated[
        Path | None, output_option("The file to write; default: the spec's name with .sbatch, .yaml or .sh.")
    ] = None,
    submit: Annotated[bool, typer.Option("--submit", help="Hand the file to the scheduler.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the file that a cluster's scheduler takes for a run, and submit it if asked."""
    from launch.cluster.spec import load_spec
    from launch.cluster.submit import launch_command, show_launch
    from launch.recipes import load_recipe

    config, machines = load_recipe(recipe, overrides or []), load_spec(spec)
    print_result(
        as_json,
        lambda: launch_command(target, config, machines, output=output, inputs=(recipe, spec), submit=submit),
        show=show_launch,
    )
