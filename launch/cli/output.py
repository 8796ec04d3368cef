"""Output: stdout carries a verb's JSON when it is asked for, and nothing else then."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and everything else on stderr.")]


@contextmanager
def talking_on_stderr(as_json: bool) -> Iterator[None]:
    """Keep stdout for the JSON alone."""
    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        yield


def echo_json(result: Any) -> None:
    typer.echo(json.dumps(result, indent=2))
