"""`heed bench`: what a feature costs or brings, and what a model can do, measured."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from launch.cli.output import AsJson, echo_json, talking_on_stderr
from launch.environment import prepare_environment

app = typer.Typer(help="Measure what a feature costs or brings, or what a model can do.", no_args_is_help=True)


@app.command()
def probes(
    length: Annotated[list[int] | None, typer.Option(help="Tokens; repeat for several. Default: 512 to 4096.")] = None,
    rounds: Annotated[int, typer.Option(help="Measurements of each mode, in turn.")] = 5,
    as_json: AsJson = False,
) -> None:
    """A forward pass with the probe off, on, and with eager attention that keeps its maps."""
    prepare_environment()
    from launch.bench.probes import bench_probes

    _echo_rows(bench_probes(tuple(length or (512, 1024, 2048, 4096)), rounds=rounds), as_json)


@app.command()
def verifiers(
    completions: Annotated[int, typer.Option(help="Different texts.")] = 10_000,
    constraints: Annotated[int, typer.Option(help="Constraints each text is held against.")] = 3,
    seed: int = 0,
    as_json: AsJson = False,
) -> None:
    """Verdicts on many completions, the kinds drawn evenly from all."""
    from launch.bench.verifiers import bench_verifiers

    figures = bench_verifiers(completions=completions, constraints=constraints, seed=seed)
    if as_json:
        echo_json(figures)
        return
    for name, value in figures.items():
        typer.echo(f"{name} {value}")


@app.command()
def levels(
    model: Annotated[str, typer.Option(help="A model's name or folder.")] = "smollm2-135m-instruct",
    prompts: Annotated[int, typer.Option(help="Prompts of each level and pattern.")] = 50,
    seed: int = 0,
    max_tokens: Annotated[int, typer.Option(help="Longest answer.")] = 160,
    batch_size: Annotated[int, typer.Option(help="Answers written at a time.")] = 25,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A JSON file; continued if it exists.")] = None,
    as_json: AsJson = False,
) -> None:
    """How many constraints a model keeps, by level, pattern and category."""
    prepare_environment()
    from launch.bench.levels import bench_levels, show_levels

    with talking_on_stderr(as_json):
        result = bench_levels(
            model, prompts=prompts, seed=seed, max_tokens=max_tokens, batch_size=batch_size, output=output
        )
        show_levels(result, Console())


@app.command()
def credit(
    rules: Annotated[
        str, typer.Option(help="Rules, comma between; NAME:raw does without credit.preserve_mass. uniform is added.")
    ] = "random,entropy,local_chunk,global_anchor,coupled,coupled:raw",
    task: Annotated[str, typer.Option(help="chain: a model of 1.2 M parameters, minutes; constraints: SmolLM2.")] = (
        "chain"
    ),
    seeds: Annotated[int, typer.Option(help="Trainings of each rule.")] = 3,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps of each; default: the task's own.")] = None,
    folder: Annotated[Path, typer.Option(help="Where arms are kept; run it again to go on where it stopped.")] = Path(
        "runs/bench-credit"
    ),
    as_json: AsJson = False,
) -> None:
    """Credit rules against `uniform` and their controls: same data, same seeds, same number of rollouts."""
    prepare_environment()
    from launch.bench.credit import bench_credit
    from launch.bench.tasks import budget_of

    with talking_on_stderr(as_json):
        result = bench_credit(task, rules.split(","), seeds, folder=folder, budget=budget_of(task, steps))
    if as_json:
        echo_json(result)


@app.command()
def routing(
    arms: Annotated[str, typer.Option(help="Arms, comma between; single, one adapter, is added.")] = (
        "oracle,attention,kmeans"
    ),
    seeds: Annotated[int, typer.Option(help="Trainings of each arm.")] = 3,
    folder: Annotated[Path, typer.Option(help="Where arms are kept; run it again to go on where it stopped.")] = Path(
        "runs/bench-routing"
    ),
    as_json: AsJson = False,
) -> None:
    """One adapter against four of a quarter of its rank, on four families of rules that pull apart."""
    prepare_environment()
    from launch.bench.routing import bench_routing

    with talking_on_stderr(as_json):
        result = bench_routing(arms.split(","), seeds, folder=folder)
    if as_json:
        echo_json(result)


@app.command()
def gates(
    batch_size: Annotated[int, typer.Option(help="Samples in a batch.")] = 8,
    length: Annotated[int, typer.Option(help="Tokens of each.")] = 128,
    rounds: Annotated[int, typer.Option(help="Measurements of each form, in turn.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Forward and backward with four gated adapters, beside one plain adapter."""
    prepare_environment()
    from launch.bench.gates import bench_gates

    _echo_rows(bench_gates(batch_size=batch_size, length=length, rounds=rounds), as_json)


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
    from launch.bench.steps import bench_steps

    with talking_on_stderr(as_json):
        rows = bench_steps(model, completions=completions, length=length, steps=steps, rounds=rounds)
    _echo_rows(rows, as_json)


@app.command()
def rules(
    rules: Annotated[str, typer.Option(help="Credit rules, comma between; ratios are to the first.")] = (
        "uniform,coupled"
    ),
    model: Annotated[str, typer.Option(help="A model's name.")] = "smollm2-135m-instruct",
    completions: Annotated[int, typer.Option(help="Completions a step.")] = 16,
    length: Annotated[int, typer.Option(help="Longest completion, in tokens.")] = 48,
    steps: Annotated[int, typer.Option(help="Measured steps of each training.")] = 5,
    rounds: Annotated[int, typer.Option(help="Trainings of each rule, in turn.")] = 3,
    as_json: AsJson = False,
) -> None:
    """A step with each credit rule, on the same completions."""
    prepare_environment()
    from launch.bench.steps import bench_steps, rule_modes

    modes = rule_modes(rules.split(","))
    with talking_on_stderr(as_json):
        rows = bench_steps(
            model,
            completions=completions,
            length=length,
            steps=steps,
            rounds=rounds,
            modes=modes,
            baselines=list(modes)[:1],
        )
    _echo_rows(rows, as_json)


def _echo_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        typer.echo("  ".join(f"{name} {value}" for name, value in row.items() if value is not None))
