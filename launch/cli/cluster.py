"""`heed launch`: files for a scheduler, rendered from a recipe and a spec, and submitted if asked."""

from pathlib import Path
from typing import Annotated

import typer

from launch.cli.output import AsJson, echo_json
from launch.cli.plan_doctor import Overrides, Recipe

app = typer.Typer(help="Render what a cluster's scheduler takes, and submit it.", no_args_is_help=True)

Spec = Annotated[Path | None, typer.Option(help="A YAML file about the machines; default: one node without GPUs.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="The file to write; default: NAME.sbatch, .yaml or .sh.")]
Submit = Annotated[bool, typer.Option("--submit", help="Hand the file to the scheduler.")]


@app.command()
def slurm(
    recipe: Recipe,
    overrides: Overrides = None,
    spec: Spec = None,
    out: Out = None,
    submit: Submit = False,
    as_json: AsJson = False,
) -> None:
    """An sbatch script that checkpoints before its time is up, queues again and resumes."""
    _launch("slurm", recipe, overrides, spec, out, submit, as_json)


@app.command()
def kuberay(
    recipe: Recipe,
    overrides: Overrides = None,
    spec: Spec = None,
    out: Out = None,
    submit: Submit = False,
    as_json: AsJson = False,
) -> None:
    """A RayJob for Kubernetes with the KubeRay operator."""
    _launch("kuberay", recipe, overrides, spec, out, submit, as_json)


@app.command(name="ray-job")
def ray_job(
    recipe: Recipe,
    overrides: Overrides = None,
    spec: Spec = None,
    out: Out = None,
    submit: Submit = False,
    as_json: AsJson = False,
) -> None:
    """A script that submits the run to a Ray cluster that is there already."""
    _launch("ray-job", recipe, overrides, spec, out, submit, as_json)


def _launch(target, recipe, overrides, spec, out, submit, as_json) -> None:
    from launch.cluster.render import ENDINGS, SUBMITTED_WITH, render
    from launch.cluster.spec import load_spec
    from launch.cluster.submit import submit as submit_file
    from launch.recipes import load_recipe
    from rl.common.atomic import write_text

    machines = load_spec(spec)
    file = out or Path(f"{machines.name}.{ENDINGS[target]}")
    write_text(file, render(target, load_recipe(recipe, overrides or []), machines))
    answer = submit_file(target, file) if submit else None
    if as_json:
        echo_json({"file": str(file), "answer": answer})
        return
    typer.echo(f"{file}: written" if submit else f"{file}: submit it with `{' '.join(SUBMITTED_WITH[target])} {file}`")
    if answer:
        typer.echo(answer)
