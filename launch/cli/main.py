"""The command line: parses a verb, hands over to its body, and turns the user's mistakes into one sentence."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from launch.cli import bench
from launch.cli import cluster as cluster_verbs
from launch.cli import data as data_verbs
from launch.cli import plan_doctor as start_verbs
from launch.cli import probe as probe_verbs
from launch.cli.output import AsJson, echo_json, talking_on_stderr
from launch.environment import prepare_environment
from rl.common.errors import USER_ERRORS, RunFailure, UserError

# Bodies are imported by the verb that needs them: torch and TRL take seconds, and `--help` needs neither.

INTERRUPTED = 130
"""Exit code of a run that was stopped, as a shell reports Ctrl-C."""

app = typer.Typer(
    help="Post-training where attention decides where credit goes, and constraints decide what is rewarded.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(probe_verbs.app, name="probe")
app.add_typer(data_verbs.app, name="data")
app.add_typer(bench.app, name="bench")
app.add_typer(cluster_verbs.app, name="launch")
app.command()(start_verbs.plan)
app.command()(start_verbs.doctor)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a YAML file of your own.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY.KEY=VALUE]...", help="Settings that differ from the recipe.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the resolved config and stop.")] = False,
    or_resume: Annotated[
        bool, typer.Option("--or-resume", help="Go on in run.folder if it has a checkpoint; for jobs that restart.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train an adapter, as in: heed train quickstart trainer.learning_rate=1e-5"""
    from launch.recipes import load_recipe
    from rl.config.load import resolved_yaml

    if or_resume:
        from launch.ranks.resume import load_or_resume

        config = load_or_resume(recipe, overrides or [])
    else:
        config = load_recipe(recipe, overrides or [])
    if dry_run:
        typer.echo(config.model_dump_json(indent=2) if as_json else resolved_yaml(config).rstrip())
        return
    prepare_environment(config)
    from launch.ranks.local import must_start_ranks, start_ranks

    if not must_start_ranks(config.distributed):
        from rl.train import train as train_run
    elif config.distributed.on_ray:
        from launch.ranks.ray_train import train_on_ray as train_run
    else:
        command = [sys.executable, "-m", "launch.cli", *sys.argv[1:]]
        raise typer.Exit(start_ranks(command, config.distributed.processes))

    with talking_on_stderr(as_json):
        folder = train_run(config)
    summary = folder / "summary.json"
    if as_json:
        figures = json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else None
        echo_json({"run": str(folder), "summary": figures})
    if not summary.exists():
        raise typer.Exit(INTERRUPTED)


@app.command(name="eval")
def evaluate(
    target: Annotated[str, typer.Argument(metavar="RUN|MODEL", help="A run folder, or a model's name or folder.")],
    data: Annotated[str | None, typer.Option(help="Problems to score on; a run has held-out ones of its own.")] = None,
    output: Annotated[Path | None, typer.Option(help="A JSON file to keep the figures in.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score a run's adapter beside its base model, or any model, on held-out problems."""
    prepare_environment()
    from rl.evaluation.command import evaluate_command

    with talking_on_stderr(as_json):
        figures = evaluate_command(target, data, output)
    if as_json:
        echo_json(figures)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; those that differ in seeds only are shown as one.")],
    output: Annotated[Path | None, typer.Option(help="The file; default: report.html in the first run folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make one HTML file of a run, or of two beside each other, with one or several seeds each.

    It shows curves, verdicts with their evidence, tokens by what was read of them, and who is better by how much.
    """
    prepare_environment()
    from rl.report.write import report_command

    with talking_on_stderr(as_json):
        page = report_command(runs, output)
        typer.echo(f"Report: {page} ({page.stat().st_size / 1e6:.1f} MB)")
    if as_json:
        echo_json({"report": str(page), "bytes": page.stat().st_size})


@app.command()
def route(
    bundle: Annotated[Path, typer.Argument(help="A routed run's folder, or its bundle.")],
    prompt: Annotated[str, typer.Option(help="What a user would ask.")],
    task: Annotated[str, typer.Option(help="For a bundle that routes by task.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print which adapters answer a prompt, and how much of each."""
    prepare_environment()
    from launch.serve.route import route_command

    with talking_on_stderr(as_json):
        gates = route_command(bundle, prompt, task)
    if as_json:
        echo_json(gates)
        return
    for name, gate in gates.items():
        typer.echo(f"{gate:.3f}  {name}")


@app.command()
def gateway(
    bundle: Annotated[Path, typer.Argument(help="A routed run's folder, or its bundle.")],
    upstream: Annotated[str, typer.Option(help="An OpenAI-compatible server with the bundle's adapters loaded.")],
    host: Annotated[str, typer.Option(help="Where to listen; loopback alone unless told other.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="On which port.")] = 8080,
    time_limit: Annotated[float, typer.Option(help="Seconds for every wait for the upstream.")] = 600.0,
) -> None:
    """Route OpenAI-style requests: write the adapter that fits into `model`, and pass them on."""
    prepare_environment()
    try:
        import uvicorn

        from launch.serve.gateway import gateway as application
    except ModuleNotFoundError as error:
        raise UserError(f"heed gateway needs {error.name}; pip install 'heed[gateway]'") from error
    from launch.serve.route import RoutedPrompts

    app = application(RoutedPrompts(bundle).gates, upstream=upstream, time_limit=time_limit)
    uvicorn.run(app, host=host, port=port, log_level="warning")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder; with --only or --merge also a bundle.")],
    only: Annotated[str | None, typer.Option(help="Copy this adapter of a bundle to --output.")] = None,
    merge: Annotated[str | None, typer.Option(help="Write base and this adapter as one model to --output.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The folder to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that a run's adapter loads elsewhere and says what the trained model said."""
    prepare_environment()
    if only is not None or merge is not None:
        with talking_on_stderr(as_json):
            place = _part_of(run, only, merge, output)
        echo_json({"written": str(place)}) if as_json else typer.echo(f"Written: {place}")
        return
    from rl.export.verify import export_command, export_run

    if as_json:
        with talking_on_stderr(as_json):
            figures = export_run(run)
        echo_json(figures)
    else:
        export_command(run)


def _part_of(bundle: Path, only: str | None, merge: str | None, output: Path | None) -> Path:
    from rl.routing.bundle import extract_adapter
    from rl.routing.merge import merge_adapter

    if output is None:
        raise UserError("--only and --merge write a folder; name it with --output")
    if only is not None and merge is not None:
        raise UserError(f"--only {only} copies and --merge {merge} merges; give one of the two")
    return extract_adapter(bundle, only, output) if only is not None else merge_adapter(bundle, str(merge), output)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    An error that the user can mend is one sentence on stderr and exit code 2; a failure of a run that had begun is
    one sentence and exit code 1. Any other error is a bug and keeps its traceback.
    """
    try:
        app(args=arguments)
    except RunFailure as error:
        tell(error)
        raise SystemExit(1) from None
    except USER_ERRORS as error:
        tell(error)
        raise SystemExit(2) from None


def tell(error: Exception) -> None:
    """Print an error as the user should read it."""
    rank = os.environ.get("RANK", "0")
    if rank != "0" and not isinstance(error, RunFailure):
        return  # the first rank makes the same mistake, and tells it
    lines = f"rank {rank}: {error}".splitlines() if rank != "0" else str(error).splitlines()
    print("heed:", *lines, sep=" " if len(lines) == 1 else "\n  ", file=sys.stderr)


if __name__ == "__main__":
    main()
