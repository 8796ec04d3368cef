"""Output of a command: its result as JSON alone on stdout, or shown to a person."""

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from rl.common.errors import UserError

Result = TypeVar("Result")

Model = Annotated[str, typer.Option(help="A model's name or folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and everything else on stderr.")]
STDOUT, STDERR = 1, 2


def user_path(text: str) -> Path:
    """Return the path that a user gives; `~` is the home folder, which no shell replaces in `--output=~/x`."""
    return Path(os.path.expanduser(text))


def output_option(text: str) -> Any:
    """Return the option that names what a command writes, spelled alike in every command."""
    return typer.Option("--output", "-o", help=text, parser=user_path)


ResultFile = Annotated[Path | None, output_option("A JSON file to write the result to.")]


TemplateValues = Annotated[
    str | None,
    typer.Option(
        "--chat-template-kwargs",
        metavar="JSON",
        help='Values for variables of the chat template, as in {"enable_thinking": false}.',
    ),
]


def template_values(text: str | None) -> dict[str, Any]:
    """Return the object in `--chat-template-kwargs`. Raises UserError for any other text."""
    try:
        values = json.loads(text or "{}")
    except ValueError as error:
        raise UserError(f"--chat-template-kwargs {text}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise UserError(f'--chat-template-kwargs {text}: expected an object such as {{"enable_thinking": false}}')
    return values


def print_result(
    as_json: bool,
    body: Callable[[], Result],
    show: Callable[[Result], None] | None = None,
    *,
    output: Path | None = None,
) -> Result:
    """Run a command's body and print what it returns, as JSON or by `show`; write it to the file `output`, too."""
    with stdout_for_json(as_json):
        result = body()
        if output is not None:
            _write(output, result)
        if show is not None and not as_json:
            show(result)
    if as_json:
        print_json(result)
    return result


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(finite(value), indent=2))


@contextmanager
def stdout_for_json(as_json: bool) -> Iterator[None]:
    """Send everything printed in the block to stderr, by child processes too, if JSON is to have stdout for itself."""
    if not as_json:
        yield
        return
    sys.stdout.flush()
    saved = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(saved, STDOUT)
        os.close(saved)


def finite(value: Any) -> Any:
    """Return the value with null for every number that JSON does not have: NaN and the infinities."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [finite(item) for item in value]
    return value


def show_values(values: Mapping[str, Any]) -> None:
    """Print one line for each value that is there."""
    for name, value in values.items():
        if value is not None:
            typer.echo(f"{name} {value}")


def show_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print one line for each row, with the values that are there."""
    for row in rows:
        typer.echo("  ".join(f"{name} {value}" for name, value in row.items() if value is not None))


def _write(path: Path, result: Any) -> None:
    from rl.common.atomic import write_json

    write_json(path, finite(result))
