"""`heed data`: draw prompts with constraints, check a file of them, pair answers for DPO."""

from pathlib import Path
from typing import Annotated

import typer

from launch.environment import prepare_environment
from launch.output import AsJson, echo_json, talking_on_stderr

app = typer.Typer(help="Draw prompts with constraints, check files of them, pair answers.", no_args_is_help=True)


@app.command()
def constraints(
    output: Annotated[Path, typer.Option("--output", "-o", help="A .jsonl or .parquet file.")],
    level: Annotated[int, typer.Option(help="1 to 4: how many of content, format, language and length take part.")] = 1,
    pattern: Annotated[str, typer.Option(help="listing, incorporation or example.")] = "incorporation",
    number: Annotated[int, typer.Option("--n", help="How many prompts.")] = 100,
    seed: int = 0,
    split: Annotated[str, typer.Option(help="train or held_out: no base instruction is in both.")] = "train",
    as_json: AsJson = False,
) -> None:
    """Draw prompts of one level and pattern into a file."""
    from launch.data import constraints_command

    with talking_on_stderr(as_json):
        counts = constraints_command(
            level=level, pattern=pattern, num_problems=number, seed=seed, output=output, split=split
        )
    if as_json:
        echo_json(counts)


@app.command()
def verify(file: Path, as_json: AsJson = False) -> None:
    """Check a file of prompts, and the answers in it if it has any."""
    from launch.data import verify_command

    with talking_on_stderr(as_json):
        figures = verify_command(file)
    if as_json:
        echo_json(figures)


@app.command()
def pairs(
    source: Annotated[Path, typer.Argument(metavar="RUN|FILE", help="A run folder, or rows with `completions`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .jsonl or .parquet file.")],
    minimum_gap: Annotated[float, typer.Option(help="How much better the chosen answer must score.")] = 0.0,
    length_ratio: Annotated[float | None, typer.Option(help="Largest ratio of the two answers' lengths.")] = None,
    minimal: Annotated[bool, typer.Option(help="Pairs that differ on one constraint alone as well.")] = False,
    model: Annotated[str | None, typer.Option(help="Sample answers to a file of prompts from this model.")] = None,
    samples: Annotated[int, typer.Option(help="Answers sampled to each prompt.")] = 8,
    temperature: Annotated[float, typer.Option(help="Temperature of the sampling.")] = 1.0,
    max_tokens: Annotated[int, typer.Option(help="Longest sampled answer.")] = 160,
    seed: int = 0,
    as_json: AsJson = False,
) -> None:
    """Pair better with worse answers to the same prompt."""
    prepare_environment()
    from launch.data import Sampling, pairs_command

    sampling = None
    if model is not None:
        sampling = Sampling(model=model, samples=samples, temperature=temperature, max_tokens=max_tokens, seed=seed)
    with talking_on_stderr(as_json):
        counts = pairs_command(
            source, output, minimum_gap=minimum_gap, length_ratio=length_ratio, minimal=minimal, sampling=sampling
        )
    if as_json:
        echo_json(counts)
