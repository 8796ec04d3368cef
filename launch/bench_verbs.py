"""`heed bench`: what a feature costs, measured beside going without it, alternating, in one run."""

from typing import Annotated

import typer

from launch.environment import prepare_environment
from launch.output import AsJson, echo_json

app = typer.Typer(help="Measure what a feature costs.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Keeps `probes` a verb of its own while it is the only one."""


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
