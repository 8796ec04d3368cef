"""`heed bench`: what a feature costs, measured beside going without it, alternating, in one run."""

from typing import Annotated

import typer

from launch.environment import prepare_environment
from launch.output import AsJson, echo_json, talking_on_stderr

app = typer.Typer(help="Measure what a feature costs.", no_args_is_help=True)


@app.command()
def probes(
    length: Annotated[list[int] | None, typer.Option(help="Tokens; repeat for several. Default: 512 to 4096.")] = None,
    rounds: Annotated[int, typer.Option(help="Measurements of each mode, in turn.")] = 5,
    as_json: AsJson = False,
) -> None:
    """A forward pass with the probe off, on, and with eager attention that keeps its maps."""
    prepare_environment()
    from launch.bench_probes import bench_probes

    rows = bench_probes(tuple(length or (512, 1024, 2048, 4096)), rounds=rounds)
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        typer.echo("  ".join(f"{name} {value}" for name, value in row.items()))


@app.command()
def rollouts(
    model: Annotated[str, typer.Option(help="A model's name.")] = "smollm2-135m-instruct",
    completions: Annotated[int, typer.Option(help="Completions a step.")] = 16,
    length: Annotated[int, typer.Option(help="Longest completion, in tokens.")] = 48,
    steps: Annotated[int, typer.Option(help="Measured steps of each training.")] = 5,
    rounds: Annotated[int, typer.Option(help="Trainings of each mode, in turn.")] = 3,
    as_json: AsJson = False,
) -> None:
    """A step of plain TRL, of ours with a worker, and with the next batch sampled while the learner works."""
    prepare_environment()
    from launch.bench_rollouts import bench_rollouts

    with talking_on_stderr(as_json):
        rows = bench_rollouts(model, completions=completions, length=length, steps=steps, rounds=rounds)
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        typer.echo("  ".join(f"{name} {value}" for name, value in row.items()))
