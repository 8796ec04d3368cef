"""`heed bench`: what a model can do, and what changing its attention does to its answers."""

from pathlib import Path
from typing import Annotated

import typer

from launch.cli.output import AsJson, Model, ResultFile, output_option, print_result, show_rows, show_values, user_path
from launch.environment import prepare_environment


def calibration(
    file: Annotated[Path, typer.Argument(parser=user_path, help="What `heed probe sinks` has saved.")],
    model: Model = "smollm2-135m-instruct",
    data: Annotated[
        Path | None, typer.Option(parser=user_path, help="Prompts with right answers. Default: needle tests.")
    ] = None,
    num_texts: Annotated[int, typer.Option(min=4, help="Needle tests, or prompts of the file.")] = 64,
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure how likely right answers are to a model with and without its sinks calibrated, text by text."""
    prepare_environment()
    from launch.bench.calibration import bench_calibration

    print_result(
        as_json,
        lambda: bench_calibration(model, file, data=data, num_texts=num_texts),
        show=show_rows,
        output=output,
    )


def confusion(
    run: Annotated[Path, typer.Argument(parser=user_path, help="A finished run with held-out answers.")],
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure whether answers that attend to the wrong constraint fail more often than length alone tells."""
    prepare_environment()
    from launch.bench.confusion import bench_confusion

    print_result(as_json, lambda: bench_confusion(run), show=show_values, output=output)


def levels(
    model: Model = "smollm2-135m-instruct",
    prompts: Annotated[int, typer.Option(help="Prompts of each level and pattern.")] = 50,
    seed: int = 0,
    max_tokens: Annotated[int, typer.Option(help="Longest answer, in tokens.")] = 160,
    batch_size: Annotated[int, typer.Option(help="Answers written at a time.")] = 25,
    output: Annotated[Path | None, output_option("A JSON file for the result; continued if it exists.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how many constraints a model satisfies, by level, pattern and category."""
    prepare_environment()
    from rich.console import Console

    from launch.bench.levels import bench_levels, show_levels

    print_result(
        as_json,
        lambda: bench_levels(
            model, prompts=prompts, seed=seed, max_tokens=max_tokens, batch_size=batch_size, output=output
        ),
        show=lambda result: show_levels(result, Console()),
    )
