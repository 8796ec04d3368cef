"""`heed eval` and `heed train-selector`: a policy's scores, and a classifier that decides when it should think."""

import os
from pathlib import Path
from typing import Annotated

import typer

from launch.cli.output import AsJson, TemplateValues, output_option, print_result, template_values, user_path
from launch.environment import prepare_environment
from rl.common.errors import UserError
from rl.config.evaluation import StrategyName


def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            parser=os.path.expanduser,
            metavar="RUN|BUNDLE|MODEL",
            help="A run folder, a bundle, or a model's name or folder.",
        ),
    ],
    data: Annotated[
        str | None, typer.Option(help="Problems to score on, or a benchmark's file; a run has some of its own.")
    ] = None,
    output: Annotated[
        Path | None, output_option("A JSON file to write the scores to; with --benchmark a folder, which goes on.")
    ] = None,
    trip_wires: Annotated[
        bool, typer.Option("--trip-wires", help="Also count the rules kept by a shortcut, on prompts made for it.")
    ] = False,
    benchmark: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="ifeval, ifbench, muldimif, gsm8k, kitab, combinatorial, or a file."),
    ] = None,
    strategy: Annotated[StrategyName, typer.Option(help="How a benchmark is answered.")] = "direct",
    selector: Annotated[
        Path | None, typer.Option(parser=user_path, help="What train-selector wrote, for --strategy classifier.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="So many prompts, evenly spaced over the benchmark.")] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="With --strategy think: the attention that the thought takes from rules.")
    ] = False,
    max_tokens: Annotated[int, typer.Option(help="Longest reply, its thought included.")] = 1024,
    batch_size: Annotated[int, typer.Option(help="Prompts answered together.")] = 16,
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.0,
    seed: int = 0,
    chat_template_kwargs: TemplateValues = None,
    workers: Annotated[int, typer.Option(help="Ray workers that answer a benchmark; 0 answers here.")] = 0,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="A vLLM server with the base model that answers a benchmark.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(parser=user_path, help="Answer with the attention that `heed probe sinks` has saved.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(parser=user_path, help="A folder that keeps greedy completions for other strategies."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(parser=user_path, help="The folder of other answers to the same benchmark, to compare with."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a run's adapter beside its base model, or any model, on held-out problems or a benchmark."""
    prepare_environment()
    if benchmark is None:
        if strategy != "direct" or any((probe, limit is not None, selector, workers, url, cache, against)):
            raise UserError(
                "--strategy, --selector, --limit, --probe, --workers, --url, --cache and --against go with "
                "--benchmark NAME"
            )
        from rl.evaluation.command import evaluate_command

        print_result(
            as_json, lambda: evaluate_command(target, data, output, with_trip_wires=trip_wires, calibration=calibration)
        )
        return
    from rl.evaluation.benchmarks.command import BenchmarkOptions, benchmark_command

    if probe and strategy != "think":
        raise UserError(f"--probe compares answers with and without a thought; --strategy {strategy} has to be think")
    options = BenchmarkOptions(
        benchmark=benchmark,
        data=data,
        strategy=strategy,
        limit=limit,
        selector=selector,
        probe=probe,
        max_tokens=max_tokens,
        batch_size=batch_size,
        temperature=temperature,
        seed=seed,
        template_values=template_values(chat_template_kwargs),
        calibration=calibration,
        workers=workers,
        url=url,
        cache=cache,
        against=against,
        output=output,
    )
    print_result(as_json, lambda: benchmark_command(target, options))


def train_selector(
    direct: Annotated[
        Path, typer.Argument(parser=user_path, help="The folder of heed eval --benchmark NAME --strategy direct.")
    ],
    thinking: Annotated[
        Path, typer.Argument(parser=user_path, help="That of --strategy think, of the same model and prompts.")
    ],
    output: Annotated[Path, output_option("The file to write, for heed eval --strategy classifier --selector.")],
    score: Annotated[
        str | None, typer.Option(help="The score that decides; default: the share of constraints kept loosely.")
    ] = None,
    seed: int = 0,
    as_json: AsJson = False,
) -> None:
    """Train a classifier that tells from a prompt whether the model's thinking will score higher."""
    prepare_environment()
    from rl.evaluation.benchmarks.selector import selector_command, show_selector

    print_result(
        as_json, lambda: selector_command(direct, thinking, output, score=score, seed=seed), show=show_selector
    )
