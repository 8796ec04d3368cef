"""`heed bench`: what a setting brings, by trainings that differ in it alone."""

from pathlib import Path
from typing import Annotated

import typer

from launch.cli.output import AsJson, output_option, print_result
from launch.environment import prepare_environment

Trainings = Annotated[Path, output_option("The folder for all trainings; an interrupted bench continues there.")]


def credit(
    rules: Annotated[
        str,
        typer.Option(
            help="Rules, comma between, besides uniform; suffixes :raw, :mass, :roles, :residual, :attention."
        ),
    ] = "random,entropy,local_chunk,global_anchor,coupled,coupled:raw",
    task: Annotated[
        str,
        typer.Option(
            help="chain, digits, hidden-digits: 1.2 M parameters; constraints, rules: SmolLM2; slots: a protocol."
        ),
    ] = "chain",
    seeds: Annotated[int, typer.Option(help="Trainings of each rule.")] = 3,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps of each; default: as the task says.")] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Trainings at a time: Ray tasks here, or on the cluster at RAY_ADDRESS.")
    ] = 1,
    report: Annotated[
        bool, typer.Option("--report", help="Train nothing; write report.html about what has been trained.")
    ] = False,
    output: Trainings = Path("runs/bench-credit"),
    as_json: AsJson = False,
) -> None:
    """Compare credit rules with `uniform` and their controls, with the same data, seeds and number of rollouts."""
    prepare_environment()
    if report:
        from launch.bench.credit import report_credit

        typer.echo(report_credit(task, output))
        return
    if task == "slots":
        from launch.bench.slots_report import bench_slots
        from rl.common.errors import UserError

        if steps is not None:
            raise UserError("the protocol of --task slots is fixed; drop --steps")
        print_result(as_json, lambda: bench_slots(output, jobs=jobs))
        return
    from launch.bench.credit import bench_credit
    from launch.bench.tasks import budget_of

    print_result(
        as_json,
        lambda: bench_credit(task, rules.split(","), seeds, folder=output, budget=budget_of(task, steps), jobs=jobs),
    )


def routing(
    arms: Annotated[str, typer.Option(help="Arms, comma between; single, one adapter, is added.")] = (
        "oracle,attention,kmeans"
    ),
    seeds: Annotated[int, typer.Option(help="Trainings of each arm.")] = 3,
    output: Trainings = Path("runs/bench-routing"),
    as_json: AsJson = False,
) -> None:
    """Compare one adapter with four of a quarter of its rank, on four families of conflicting rules."""
    prepare_environment()
    from launch.bench.routing import bench_routing

    print_result(as_json, lambda: bench_routing(arms.split(","), seeds, folder=output))


def combinatorial(
    arms: Annotated[str, typer.Option(help="Arms, comma between; default: all seven.")] = "",
    seeds: Annotated[int, typer.Option(help="Trainings of each arm.")] = 5,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps of each.")] = 100,
    jobs: Annotated[
        int, typer.Option(min=1, help="Trainings at a time: Ray tasks here, or on the cluster at RAY_ADDRESS.")
    ] = 1,
    output: Trainings = Path("runs/bench-combinatorial"),
    as_json: AsJson = False,
) -> None:
    """Compare texts, credit and routing on six NP-hard problems, by the share of feasible answers."""
    prepare_environment()
    from launch.bench.combinatorial import bench_combinatorial

    names = [name for name in arms.split(",") if name]
    print_result(as_json, lambda: bench_combinatorial(output, seeds=seeds, arms=names, steps=steps, jobs=jobs))
