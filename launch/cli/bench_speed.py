"""`heed bench`: what a step, a pass or a verdict costs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from launch.cli.output import AsJson, Model, ResultFile, output_option, print_result, show_rows, show_values
from launch.environment import prepare_environment

Completions = Annotated[int, typer.Option(help="Completions a step.")]
Length = Annotated[int, typer.Option(help="Longest completion, in tokens.")]
Steps = Annotated[int, typer.Option(help="Measured steps of each training.")]


def probes(
    length: Annotated[list[int] | None, typer.Option(help="Tokens; repeat for several. Default: 512 to 4096.")] = None,
    rounds: Annotated[int, typer.Option(help="Measurements of each mode, in turn.")] = 5,
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Time a forward pass without the probe, with it, and with eager attention that keeps its maps."""
    prepare_environment()
    from launch.bench.probes import bench_probes

    lengths = tuple(length or (512, 1024, 2048, 4096))
    print_result(as_json, lambda: bench_probes(lengths, rounds=rounds), show=show_rows, output=output)


def sparse(
    model: Model = "smollm2-135m-instruct",
    length: Annotated[list[int] | None, typer.Option(help="Tokens; repeat for several. Default: 1024 to 8192.")] = None,
    plan: Annotated[list[str] | None, typer.Option(help="A sparse plan; repeat for several. Default: all.")] = None,
    tests: Annotated[int, typer.Option(help="Needle tests of each length.")] = 4,
    block: Annotated[int, typer.Option(help="Tokens of a block.")] = 64,
    blocks: Annotated[int, typer.Option(help="Blocks that are read.")] = 8,
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Time long prompts read by each sparse plan, in turn with dense attention; and how well both agree."""
    prepare_environment()
    from launch.bench.sparse import PLANS, bench_sparse

    lengths, plans = tuple(length or (1024, 2048, 4096, 8192)), tuple(plan or PLANS)
    print_result(
        as_json,
        lambda: bench_sparse(model, lengths, plans=plans, tests=tests, block=block, blocks=blocks),
        show=show_rows,
        output=output,
    )


def verifiers(
    completions: Annotated[int, typer.Option(help="Different texts.")] = 10_000,
    constraints: Annotated[int, typer.Option(help="Constraints that each text is checked against.")] = 3,
    seed: int = 0,
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Time verdicts on many completions, the kinds of constraints drawn evenly."""
    from launch.bench.verifiers import bench_verifiers

    print_result(
        as_json,
        lambda: bench_verifiers(completions=completions, constraints=constraints, seed=seed),
        show=show_values,
        output=output,
    )


def feasibility(
    size: Annotated[int, typer.Option(help="Cities, clients, items or jobs of an instance.")] = 10,
    number: Annotated[int, typer.Option("--n", help="Instances of each problem.")] = 500,
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Time how fast instances of combinatorial problems are drawn, and answers verified."""
    from launch.bench.feasibility import bench_feasibility

    print_result(as_json, lambda: bench_feasibility(size=size, number=number), show=show_rows, output=output)


def gates(
    batch_size: Annotated[int, typer.Option(help="Samples in a batch.")] = 8,
    length: Annotated[int, typer.Option(help="Tokens of each.")] = 128,
    rounds: Annotated[int, typer.Option(help="Measurements of each form, in turn.")] = 5,
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Time forward and backward with four gated adapters, beside one plain adapter."""
    prepare_environment()
    from launch.bench.gates import bench_gates

    print_result(
        as_json,
        lambda: bench_gates(batch_size=batch_size, length=length, rounds=rounds),
        show=show_rows,
        output=output,
    )


def rollouts(
    model: Model = "smollm2-135m-instruct",
    completions: Completions = 16,
    length: Length = 48,
    steps: Steps = 5,
    rounds: Annotated[int, typer.Option(help="Trainings of each mode, in turn; with --engine, units.")] = 3,
    engine: Annotated[
        str | None, typer.Option(help="Compare this engine's sampling with transformers instead.")
    ] = None,
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"], typer.Option(help="Of the model, with --engine.")
    ] = "auto",
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Time a step of plain TRL, of Heed with a worker, and sampled ahead; with --engine, sampling by that engine."""
    prepare_environment()
    from launch.bench.engines import bench_engines
    from launch.bench.steps import bench_steps

    print_result(
        as_json,
        lambda: (
            bench_engines(engine, model, completions=completions, length=length, rounds=rounds, dtype=dtype)
            if engine
            else bench_steps(model, completions=completions, length=length, steps=steps, rounds=rounds)
        ),
        show=show_rows,
        output=output,
    )


def gpu(
    device: Annotated[Literal["cuda", "cpu"], typer.Option(help="cpu rehearses the stages with tiny models.")] = "cuda",
    only: Annotated[list[str] | None, typer.Option(help="A stage to run; repeat for several. Default: all.")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="Time for all stages, which share it.")] = 10,
    output: Annotated[Path, output_option("The JSON file, written after each stage.")] = Path("runs/bench-gpu.json"),
    as_json: AsJson = False,
) -> None:
    """Measure what only a GPU can tell, stage by stage: hazards, exactness, speed and memory, on one GPU or more."""
    prepare_environment()
    from rich.console import Console

    from launch.bench.gpu.run import bench_gpu
    from launch.bench.gpu.show import show_stage, show_summary

    print_result(
        as_json,
        lambda: bench_gpu(
            on_gpu=device == "cuda",
            minutes=minutes,
            only=only or (),
            output=output,
            show=lambda result: show_stage(Console(), result),
        ),
        show=lambda report: show_summary(Console(), report, output),
    )


def rules(
    rules: Annotated[str, typer.Option(help="Credit rules, comma between; ratios are to the first.")] = (
        "uniform,coupled"
    ),
    model: Model = "smollm2-135m-instruct",
    completions: Completions = 16,
    length: Length = 48,
    steps: Steps = 5,
    rounds: Annotated[int, typer.Option(help="Trainings of each rule, in turn.")] = 3,
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Time a step with each credit rule, on the same completions."""
    prepare_environment()
    from launch.bench.steps import bench_steps, rule_modes

    modes = rule_modes(rules.split(","))
    print_result(
        as_json,
        lambda: bench_steps(
            model,
            completions=completions,
            length=length,
            steps=steps,
            rounds=rounds,
            modes=modes,
            baselines=list(modes)[:1],
        ),
        show=show_rows,
        output=output,
    )


def step(
    model: Model = "smollm2-135m-instruct",
    shape: Annotated[
        list[str] | None,
        typer.Option(help="Tokens of prompt and completion, completions; repeat for several. Default: three shapes."),
    ] = None,
    steps: Steps = 3,
    rounds: Annotated[int, typer.Option(help="Trainings of each mode, in turn.")] = 2,
    checkpointing: Annotated[bool, typer.Option("--checkpointing", help="Set trainer.gradient_checkpointing.")] = False,
    output: Annotated[
        Path | None, output_option("A JSON file to write the result to; a PNG beside it shows the phases as bars.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Time a step with shared prompts beside separate ones and plain TRL, by the lengths of prompt and completion."""
    shapes = [_shape(text) for text in shape or ("60,36,8", "256,64,8", "1024,128,8")]
    prepare_environment()
    from launch.bench.shapes import bench_shapes, write_chart

    rows = print_result(
        as_json,
        lambda: bench_shapes(model, shapes, steps=steps, rounds=rounds, checkpointing=checkpointing),
        show=show_rows,
        output=output,
    )
    if output is not None:
        write_chart(rows, output.with_suffix(".png"))


def _shape(text: str) -> tuple[int, int, int]:
    numbers = text.split(",")
    if len(numbers) != 3 or not all(number.strip().isdecimal() and int(number) > 0 for number in numbers):
        raise typer.BadParameter(f"got {text!r}; write three numbers, such as 256,64,8")
    prompt, completion, generations = map(int, numbers)
    return prompt, completion, generations
