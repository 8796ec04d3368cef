"""`heed probe`: what a model attends to in one text, and what its heads do in general."""

from pathlib import Path
from typing import Annotated, Any

import typer

from launch.cli.output import (
    AsJson,
    TemplateValues,
    output_option,
    print_result,
    show_values,
    template_values,
    user_path,
)
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
    roles: Annotated[
        Path | None, typer.Option(parser=user_path, help="Head roles saved by `heed probe calibrate`.")
    ] = None,
    output: Annotated[Path, output_option("The folder for readings.json, readings.safetensors and page.html.")] = Path(
        "probe"
    ),
    plots: Annotated[bool, typer.Option("--plots", help="Also draw rhythm, constraints and heads as PNG.")] = False,
    chat_template_kwargs: TemplateValues = None,
    as_json: AsJson = False,
) -> None:
    """Read a model's attention over a text: which tokens later ones attend to, and how much each constraint gets."""
    if context.invoked_subcommand is not None:
        return
    if prompt is None:
        raise UserError("heed probe needs --prompt, the user's message, and --completion or --generate")
    prepare_environment()
    from launch.probe.read import print_probe, run_probe

    def body() -> dict[str, Any]:
        return run_probe(
            model,
            prompt,
            template_values=template_values(chat_template_kwargs),
            out=output,
            completion=completion,
            generate=generate,
            constraints=constraint or (),
            roles=roles,
            plots=plots,
        )

    def show(content: dict[str, Any]) -> None:
        print_probe(content)
        print(f"Page: {output / 'page.html'}")

    print_result(as_json, body, show=show)


@app.command()
def calibrate(
    output: Annotated[Path, output_option("The JSON file for the head roles, for `probe.roles`.")],
    model: Model = "smollm2-135m-instruct",
    num_prompts: Annotated[int, typer.Option(help="How many answers of the model to read.")] = 32,
    num_needles: Annotated[int, typer.Option(help="How many needle tests to find retrieval heads by.")] = 16,
    seed: int = 0,
    ignore_first: Annotated[bool, typer.Option("--ignore-first", help="Rank heads by the other tokens.")] = False,
    against: Annotated[
        Path | None, typer.Option(parser=user_path, help="Earlier roles, to count the heads that kept theirs.")
    ] = None,
    chat_template_kwargs: TemplateValues = None,
    as_json: AsJson = False,
) -> None:
    """Fit and save the roles of heads (local, global), and find those that retrieve and those that only sink."""
    prepare_environment()
    from launch.probe.calibrate import calibrate_heads

    def body() -> dict[str, Any]:
        return calibrate_heads(
            model,
            template_values=template_values(chat_template_kwargs),
            out=output,
            num_prompts=num_prompts,
            num_needles=num_needles,
            seed=seed,
            ignore_first=ignore_first,
            against=against,
        )

    def show(result: dict[str, Any]) -> None:
        show_values({name: value for name, value in result.items() if name != "head_spans"})  # one number a head
        print(f"Roles: {output}")

    print_result(as_json, body, show=show)


@app.command()
def baseline(
    output: Annotated[Path, output_option("The .safetensors file for the baseline, for `probe.baseline`.")],
    model: Model = "smollm2-135m-instruct",
    num_prompts: Annotated[int, typer.Option(help="How many answers of the model to read.")] = 64,
    max_new_tokens: Annotated[int, typer.Option(help="Longest answer, in tokens.")] = 64,
    seed: int = 0,
    horizon: Annotated[tuple[int, int], typer.Option(help="As `probe.horizon` of the training.")] = (10, 100),
    window: Annotated[int, typer.Option(help="As `probe.window` of the training.")] = 10,
    roles: Annotated[
        Path | None, typer.Option(parser=user_path, help="As `probe.roles`: whose layers are read.")
    ] = None,
    as_written: Annotated[bool, typer.Option("--as-written", help="Fit ordinary text, not shuffled tokens.")] = False,
    chat_template_kwargs: TemplateValues = None,
    as_json: AsJson = False,
) -> None:
    """Fit and save what heads read whatever the text says, so that credit can use the rest."""
    prepare_environment()
    from launch.probe.baseline import fit_baseline

    def body() -> dict[str, Any]:
        return fit_baseline(
            model,
            template_values=template_values(chat_template_kwargs),
            out=output,
            num_prompts=num_prompts,
            max_new_tokens=max_new_tokens,
            seed=seed,
            horizon=horizon,
            window=window,
            roles=roles,
            as_written=as_written,
        )

    def show(result: dict[str, Any]) -> None:
        show_values(result)
        print(f"Baseline: {output}")

    print_result(as_json, body, show=show)


@app.command()
def sinks(
    output: Annotated[Path, output_option("The JSON file for `model.calibration`; a PNG beside it shows the sinks.")],
    model: Model = "smollm2-135m-instruct",
    data: Annotated[
        Path | None,
        typer.Option(parser=user_path, help="Prompts with right answers to choose by. Default: needle tests."),
    ] = None,
    measure: Annotated[str, typer.Option(help="likelihood or accuracy of the answers' tokens.")] = "likelihood",
    num_texts: Annotated[int, typer.Option(help="Texts, half to choose by and half to measure on.")] = 24,
    num_checked: Annotated[int, typer.Option(help="Heads tried one at a time, the most promising first.")] = 24,
    beta: Annotated[float, typer.Option(help="What a sink keeps of its attention.")] = 0.4,
    threshold: Annotated[float, typer.Option(help="Mean attention received above which a token is a sink.")] = 0.1,
    first_receives: Annotated[
        bool, typer.Option("--first-receives", help="Give the first token its share of what is removed, too.")
    ] = False,
    roles: Annotated[
        Path | None, typer.Option(parser=user_path, help="Head roles to save in the same file, for `probe.roles`.")
    ] = None,
    seed: int = 0,
    as_json: AsJson = False,
) -> None:
    """Choose and save the heads that do better when they pay less to attention sinks."""
    prepare_environment()
    from attention_probes.calibration import Calibration
    from launch.probe.sinks import choose_sink_heads
    from launch.probe.sinks_chart import print_sinks

    def body() -> dict[str, Any]:
        settings = Calibration(heads=(), beta=beta, threshold=threshold, first_receives=first_receives)
        return choose_sink_heads(
            model,
            out=output,
            data=data,
            measure=measure,
            num_texts=num_texts,
            num_checked=num_checked,
            settings=settings,
            roles=roles,
            seed=seed,
        )

    print_result(as_json, body, show=lambda result: print_sinks(result, output))
