"""`heed probe`: what a model's attention says of one text, and which of its heads play which role."""

from pathlib import Path
from typing import Annotated

import typer

from launch.cli.output import AsJson, echo_json, talking_on_stderr
from launch.environment import prepare_environment
from rl.common.errors import UserError

app = typer.Typer(no_args_is_help=True)
Model = Annotated[str, typer.Option(help="A hub name, a folder, smollm2-135m-instruct or tiny.")]


@app.callback(invoke_without_command=True)
def read(
    context: typer.Context,
    prompt: Annotated[str | None, typer.Option(help="The user's message.")] = None,
    model: Model = "smollm2-135m-instruct",
    completion: Annotated[str | None, typer.Option(help="The answer to read.")] = None,
    generate: Annotated[bool, typer.Option("--generate", help="Let the model answer, and read that.")] = False,
    constraint: Annotated[list[str] | None, typer.Option(help="A passage of the prompt that states a rule.")] = None,
    roles: Annotated[Path | None, typer.Option(help="Head roles saved by `heed probe calibrate`.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for readings.json, readings.safetensors and page.html.")] = Path(
        "probe"
    ),
    plots: Annotated[bool, typer.Option("--plots", help="Also draw rhythm, constraints and heads as PNG.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read a model's attention over one text: which tokens later ones look back to, was each rule looked at."""
    if context.invoked_subcommand is not None:
        return
    if prompt is None:
        raise UserError("heed probe needs --prompt, the user's message, and --completion or --generate")
    prepare_environment()
    from launch.probe.read import print_probe, run_probe

    with talking_on_stderr(as_json):
        content = run_probe(
            model,
            prompt,
            out=out,
            completion=completion,
            generate=generate,
            constraints=constraint or (),
            roles=roles,
            plots=plots,
        )
        print_probe(content)
        typer.echo(f"Page: {out / 'page.html'}")
    if as_json:
        echo_json(content)


@app.command()
def calibrate(
    out: Annotated[Path, typer.Option(help="JSON file for the roles.")],
    model: Model = "smollm2-135m-instruct",
    num_prompts: Annotated[int, typer.Option(help="How many answers of the model's own to look at.")] = 32,
    num_needles: Annotated[int, typer.Option(help="How many needle tests to find retrieval heads by.")] = 16,
    seed: int = 0,
    ignore_first: Annotated[bool, typer.Option(help="Rank heads by all but the first token.")] = False,
    against: Annotated[Path | None, typer.Option(help="Earlier roles, to see how many heads kept theirs.")] = None,
) -> None:
    """Fit and save which heads look nearby and which look far; tell which copy and which only sink."""
    prepare_environment()
    from launch.probe.calibrate import calibrate_heads

    echo_json(
        calibrate_heads(
            model,
            out=out,
            num_prompts=num_prompts,
            num_needles=num_needles,
            seed=seed,
            ignore_first=ignore_first,
            against=against,
        )
    )


@app.command()
def baseline(
    out: Annotated[Path, typer.Option(help="A .safetensors file, for `probe.baseline`.")],
    model: Model = "smollm2-135m-instruct",
    num_prompts: Annotated[int, typer.Option(help="How many answers of the model's own to read.")] = 64,
    max_new_tokens: int = 64,
    seed: int = 0,
    horizon: Annotated[tuple[int, int], typer.Option(help="As `probe.horizon` of the training.")] = (10, 100),
    window: Annotated[int, typer.Option(help="As `probe.window` of the training.")] = 10,
    roles: Annotated[Path | None, typer.Option(help="As `probe.roles`: whose layers are read.")] = None,
    as_written: Annotated[bool, typer.Option("--as-written", help="Fit ordinary text, not shuffled tokens.")] = False,
) -> None:
    """Fit and save what heads read whatever the text says, so that credit can use the rest."""
    prepare_environment()
    from launch.probe.baseline import fit_baseline

    echo_json(
        fit_baseline(
            model,
            out=out,
            num_prompts=num_prompts,
            max_new_tokens=max_new_tokens,
            seed=seed,
            horizon=horizon,
            window=window,
            roles=roles,
            as_written=as_written,
        )
    )
