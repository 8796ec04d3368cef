"""`heed route` and `heed gateway`: which adapters of a bundle answer a prompt, and a gateway that asks for them."""

from pathlib import Path
from typing import Annotated

import typer

from launch.cli.output import AsJson, print_result, user_path
from launch.environment import prepare_environment

Bundle = Annotated[Path, typer.Argument(parser=user_path, help="A routed run's folder, or its bundle.")]


def route(
    bundle: Bundle,
    prompt: Annotated[str, typer.Option(help="A user's message.")],
    task: Annotated[str, typer.Option(help="The task, for a bundle that routes by task.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print which adapters answer a prompt, and the gate of each."""
    prepare_environment()
    from launch.serve.route import route_command, show_gates

    print_result(as_json, lambda: route_command(bundle, prompt, task), show=show_gates)


def gateway(
    bundle: Bundle,
    upstream: Annotated[str, typer.Option(help="An OpenAI-compatible server with the bundle's adapters loaded.")],
    host: Annotated[str, typer.Option(help="The address to listen on; the default takes local clients only.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8080,
    time_limit: Annotated[float, typer.Option(help="Seconds for every wait for the upstream.")] = 600.0,
) -> None:
    """Route OpenAI-style requests: set `model` to the adapter that fits the prompt, and forward them."""
    prepare_environment()
    from launch.serve.run import gateway_command

    gateway_command(bundle, upstream=upstream, host=host, port=port, time_limit=time_limit)
