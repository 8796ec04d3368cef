"""`heed bench`: what a feature costs or brings, and what a model can do, measured."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from launch.cli.output import AsJson, ResultFile, output_option, print_result, show_rows, show_values, user_path
from launch.environment import prepare_environment

app = typer.Typer(help="Measure what a feature costs or brings, or what a model can do.", no_args_is_help=True)
Model = Annotated[str, typer.Option(help="A model's name or folder.")]
Completions = Annotated[int, typer.Option(help="Completions a step.")]
Length = Annotated[int, typer.Option(help="Longest completion, in tokens.")]
Trainings = Annotated[Path, output_option("The folder for all trainings; an interrupted bench continues there.")]
Steps = Annotated[int, typer.Option(help="Measured steps of each training.")]


@app.command()
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


@app.command()
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


@app.command()
def calibration(
    file: Annotated[Path, typer.Argument(parser=user_path, help="What `heed probe sinks` has saved.")],
    model: Model = "smollm2-135m-instruct",
    ifeval: Annotated[Path | None, typer.Option(parser=user_path, help="Prompts with constraints.")] = None,
    gsm8k: Annotated[
        Path | None, typer.Option(parser=user_path, help="Rows with `question` and `answer`, which ends in a number.")
    ] = None,
    needles: Annotated[int, typer.Option(help="Needle tests; 0 leaves them out.")] = 64,
    limit: Annotated[int | None, typer.Option(help="Rows of each file; default: all.")] = None,
    max_tokens: Annotated[int, typer.Option(help="Longest answer, in tokens.")] = 256,
    batch_size: Annotated[int, typer.Option(help="Answers written at a time.")] = 16,
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare a model's answers with and without its sinks calibrated, item by item."""
    prepare_environment()
    from launch.bench.calibration import bench_calibration

    print_result(
        as_json,
        lambda: bench_calibration(
            model,
            file,
            ifeval=ifeval,
            gsm8k=gsm8k,
            needles=needles,
            limit=limit,
            max_tokens=max_tokens,
            batch_size=batch_size,
        ),
        show=show_rows,
        output=output,
    )


@app.command()
def confusion(
    run: Annotated[Path, typer.Argument(parser=user_path, help="A finished run with held-out answers.")],
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure whether answers that attend to the wrong constraint fail more often than length alone tells."""
    prepare_environment()
    from launch.bench.confusion import bench_confusion

    print_result(as_json, lambda: bench_confusion(run), show=show_values, output=output)


@app.command()
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


@app.command()
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


@app.command()
def credit(
    rules: Annotated[
        str,
        typer.Option(
            help="Rules, comma between, besides uniform; suffixes :raw, :roles, :residual, :unread as in launch/bench."
        ),
    ] = "random,entropy,local_chunk,global_anchor,coupled,coupled:raw",
    task: Annotated[
        str,
        typer.Option(
            help="chain, digits: a model of 1.2 M parameters; constraints, rules: SmolLM2; slots: a protocol."
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


@app.command()
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


@app.command()
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


@app.command()
def feasibility(
    size: Annotated[int, typer.Option(help="Cities, clients, items or jobs of an instance.")] = 10,
    number: Annotated[int, typer.Option("--n", help="Instances of each problem.")] = 500,
    output: ResultFile = None,
    as_json: AsJson = False,
) -> None:
    """Time how fast instances of combinatorial problems are drawn, and answers verified."""
    from launch.bench.feasibility import bench_feasibility

    print_result(as_json, lambda: bench_feasibility(size=size, number=number), show=show_rows, output=output)


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def step(
    model: Model = "smollm2-135m-instruct",
    shape: Annotated[
        list[str] | None,
        typer.Option(help="Tokens of prompt and completion, completions; repeat for several. Default: three shapes."),
    ] = None,
    steps: Steps = 3,
    rounds: Annotated[int, typer.Option(help="Trainings of each mode, in turn.")] = 2,
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
        as_json, lambda: bench_shapes(model, shapes, steps=steps, rounds=rounds), show=show_rows, output=output
    )
    if output is not None:
        write_chart(rows, output.with_suffix(".png"))


def _shape(text: str) -> tuple[int, int, int]:
    numbers = text.split(",")
    if len(numbers) != 3 or not all(number.strip().isdecimal() and int(number) > 0 for number in numbers):
        raise typer.BadParameter(f"got {text!r}; write three numbers, such as 256,64,8")
    prompt, completion, generations = map(int, numbers)
    return prompt, completion, generations
