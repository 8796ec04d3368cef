"""`heed data`: prompts with constraints or attributes, checks of files of them, pairs and verdicts of answers."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from launch.cli.output import AsJson, TemplateValues, output_option, print_result, template_values, user_path
from launch.environment import prepare_environment
from rl.common.errors import UserError

app = typer.Typer(help="Make and check files of prompts, answers and pairs.", no_args_is_help=True)
Ask = Annotated[str | None, typer.Option(help="An OpenAI-compatible address (http://host:8000/v1), or a local model.")]
AskModel = Annotated[str | None, typer.Option(help="The model to ask for at that address.")]
DataFile = Annotated[Path, output_option("The .jsonl or .parquet file to write.")]


@app.command()
def constraints(
    output: DataFile,
    level: Annotated[int, typer.Option(help="1 to 4: how many of content, format, language and length take part.")] = 1,
    pattern: Annotated[str, typer.Option(help="listing, incorporation or example.")] = "incorporation",
    number: Annotated[int, typer.Option("--n", help="How many prompts.")] = 100,
    seed: int = 0,
    split: Annotated[str, typer.Option(help="train or held_out: no base instruction is in both.")] = "train",
    paraphrase: Annotated[
        bool, typer.Option("--paraphrase", help="Have --ask say each prompt in other words.")
    ] = False,
    doubt: Annotated[bool, typer.Option("--doubt", help="Leave out prompts that --ask finds contradictory.")] = False,
    ask: Ask = None,
    ask_model: AskModel = None,
    as_json: AsJson = False,
) -> None:
    """Draw prompts with constraints, of one level and pattern."""
    from launch.data.constraints import constraints_command

    if (paraphrase or doubt) and ask is None:
        raise UserError("--paraphrase and --doubt need --ask: an endpoint's address or a local model")
    if ask is not None and not (paraphrase or doubt):
        raise UserError(f"--ask={ask} has nothing to do; add --paraphrase or --doubt")
    model = _language_model(ask, ask_model)
    print_result(
        as_json,
        lambda: constraints_command(
            level=level,
            pattern=pattern,
            num_problems=number,
            seed=seed,
            output=output,
            split=split,
            reword=model if paraphrase else None,
            doubt=model if doubt else None,
        ),
    )


@app.command()
def combinatorial(
    output: DataFile,
    problem: Annotated[
        str,
        typer.Option(
            help="tsp, cvrp, knapsack, flow_shop, job_shop, bin_packing, pvrp_preferences or pvrp_zones.",
        ),
    ] = "tsp",
    size: Annotated[int, typer.Option(help="Cities, clients, items or jobs of an instance.")] = 10,
    number: Annotated[int, typer.Option("--n", help="How many instances.")] = 100,
    text: Annotated[str, typer.Option(help="plain: lists; stepwise: a line a step with running totals.")] = "stepwise",
    seed: int = 0,
    seconds: Annotated[float, typer.Option(min=0.01, help="Time limit of a solver for one instance.")] = 10.0,
    solver_seed: Annotated[int, typer.Option(help="Random seed of the solver.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Instances that are solved at a time.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Draw instances of a combinatorial problem, each with its rules and a reference solution."""
    from launch.data.combinatorial import Solving, combinatorial_command

    solving = Solving(seconds=seconds, seed=solver_seed, jobs=jobs)
    print_result(
        as_json,
        lambda: combinatorial_command(
            problem=problem, size=size, number=number, text=text, seed=seed, output=output, solving=solving
        ),
    )


@app.command()
def inspect(
    file: Annotated[
        str, typer.Argument(parser=os.path.expanduser, help="A .jsonl, .json or .parquet file, or a hub dataset.")
    ],
    as_json: AsJson = False,
) -> None:
    """Say how a file is read: its format, its rows and constraints, what would be left out, and three rows."""
    from launch.data.inspect import inspect_command

    print_result(as_json, lambda: inspect_command(file))


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(parser=user_path, help="Prompts, and answers in `completion` or `response`.")],
    as_json: AsJson = False,
) -> None:
    """Check a file of prompts, and the answers in it if it has any."""
    from launch.data.verify import verify_command

    print_result(as_json, lambda: verify_command(file))


@app.command()
def pairs(
    source: Annotated[
        Path, typer.Argument(parser=user_path, metavar="RUN|FILE", help="A run folder, or rows with `completions`.")
    ],
    output: DataFile,
    minimum_gap: Annotated[float, typer.Option(help="How much better the chosen answer must score.")] = 0.0,
    length_ratio: Annotated[float | None, typer.Option(help="Largest ratio of the two answers' lengths.")] = None,
    minimal: Annotated[bool, typer.Option("--minimal", help="Also pair answers that differ in one rule.")] = False,
    by: Annotated[
        str,
        typer.Option(help="score, or confusion: one answer attends to the rule it keeps, one not to the broken one."),
    ] = "score",
    reader: Annotated[
        str | None, typer.Option(help="The model that reads answers for --by confusion, if not the one that gave them.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Sample answers to a file of prompts from this model.")] = None,
    samples: Annotated[int, typer.Option(help="Answers sampled to each prompt.")] = 8,
    temperature: Annotated[float, typer.Option(help="Temperature of the sampling.")] = 1.0,
    max_tokens: Annotated[int, typer.Option(help="Longest sampled answer, in tokens.")] = 160,
    chat_template_kwargs: TemplateValues = None,
    seed: int = 0,
    as_json: AsJson = False,
) -> None:
    """Pair better with worse answers to the same prompt."""
    prepare_environment()
    from launch.data.pairs import Sampling, pairs_command

    sampling = None
    if model is not None:
        sampling = Sampling(
            model=model,
            samples=samples,
            temperature=temperature,
            max_tokens=max_tokens,
            seed=seed,
            template_values=template_values(chat_template_kwargs),
        )
    print_result(
        as_json,
        lambda: pairs_command(
            source,
            output,
            minimum_gap=minimum_gap,
            length_ratio=length_ratio,
            minimal=minimal,
            by=by,
            reader=reader,
            sampling=sampling,
        ),
    )


@app.command()
def attributes(
    source: Annotated[
        Path, typer.Argument(parser=user_path, help="Rows with `text`, `completion`, `response` or `reference`.")
    ],
    output: DataFile,
    sizes: Annotated[tuple[int, int], typer.Option(help="Fewest and most attributes of a prompt.")] = (3, 45),
    sets: Annotated[int, typer.Option(help="Draw this many sets across all texts, not one prompt a text.")] = 0,
    seed: int = 0,
    ask: Ask = None,
    ask_model: AskModel = None,
    as_json: AsJson = False,
) -> None:
    """Write prompts that ask for a text with the attributes of a given one; --ask adds those no program can check."""
    from launch.data.attributes import attributes_command

    model = _language_model(ask, ask_model)
    print_result(as_json, lambda: attributes_command(source, output, sizes=sizes, sets=sets, seed=seed, ask=model))


@app.command()
def kitab(
    file: Annotated[
        Path, typer.Argument(parser=user_path, help="KITAB's columns, and answers in `completion` or `response`.")
    ],
    as_json: AsJson = False,
) -> None:
    """Judge answers to book queries title by title (KITAB, arXiv 2310.15511)."""
    from launch.data.kitab import kitab_command

    print_result(as_json, lambda: kitab_command(file))


@app.command()
def calibrate_guards(
    model: Annotated[str, typer.Argument(help="The base model: a hub name, a folder or a built-in one.")],
    file: Annotated[
        Path, typer.Argument(parser=user_path, help="Prompts with honest answers in `completion` or `response`.")
    ],
    as_json: AsJson = False,
) -> None:
    """Measure the bounds of the guard `fluent` for a model on honest answers."""
    prepare_environment()
    from launch.data.calibrate_guards import calibrate_guards_command

    print_result(as_json, lambda: calibrate_guards_command(model, file))


def _language_model(ask: str | None, model: str | None) -> Callable[[str], str] | None:
    if ask is None and model is not None:
        raise UserError(f"--ask-model={model} needs --ask, the address of the server that has it")
    if ask is None:
        return None
    prepare_environment()
    from launch.data.ask_model import ask_function

    return ask_function(ask, model)
