"""The command line: parses a command, calls its body, and prints an error that the user can mend as one sentence."""

import os
import sys
from collections.abc import Sequence

import typer
from typer.core import TyperGroup

from launch.cli import bench, cluster, data, evaluate, plan_doctor, probe, serve, train
from rl.common.errors import USER_ERRORS, RunFailure, full_message

# Bodies are imported by the command that needs them: torch and TRL take seconds, and `--help` needs neither.

TRAIN, LOOK, DATA, CLUSTER, BENCH = "Train", "Look at a run or a model", "Data", "Cluster and serving", "Bench"
PANELS = (TRAIN, LOOK, DATA, CLUSTER, BENCH)
"""Groups of commands in `heed --help`, in order."""


class PanelGroup(TyperGroup):
    """Commands in the order of their panels."""

    def list_commands(self, ctx: typer.Context) -> list[str]:
        """Return the names, a panel at a time."""
        panels = {name: getattr(command, "rich_help_panel", LOOK) for name, command in self.commands.items()}
        return sorted(panels, key=lambda name: PANELS.index(panels[name]))


app = typer.Typer(
    cls=PanelGroup,
    help="Post-training where attention decides where credit goes, and constraints decide what is rewarded.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(rich_help_panel=TRAIN)(train.train)
app.command(rich_help_panel=TRAIN)(train.resume)
app.command(rich_help_panel=TRAIN)(plan_doctor.plan)
app.command(rich_help_panel=TRAIN)(train.export)
app.command(rich_help_panel=TRAIN)(evaluate.train_selector)
app.command(name="eval", rich_help_panel=LOOK)(evaluate.evaluate)
app.command(rich_help_panel=LOOK)(train.report)
app.add_typer(probe.app, name="probe", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(serve.route)
app.add_typer(data.app, name="data", rich_help_panel=DATA)
app.command(rich_help_panel=CLUSTER)(plan_doctor.doctor)
app.command(rich_help_panel=CLUSTER)(cluster.launch)
app.command(rich_help_panel=CLUSTER)(serve.gateway)
app.add_typer(bench.app, name="bench", rich_help_panel=BENCH)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Prints an error that the user can mend on stderr, without a traceback, and exits with code 2; what ended a run that
    had begun likewise, with code 1. Any other exception is a bug, and keeps its traceback.
    """
    try:
        app(args=arguments)
    except RunFailure as error:
        print_error(error)
        raise SystemExit(1) from None
    except USER_ERRORS as error:
        print_error(error)
        raise SystemExit(2) from None


def print_error(error: Exception) -> None:
    """Print an error as the user should read it."""
    rank = os.environ.get("RANK", "0")
    if rank != "0" and not isinstance(error, RunFailure):
        return  # the first rank meets the same error, and prints it
    message = full_message(error)
    lines = f"rank {rank}: {message}".splitlines() if rank != "0" else message.splitlines()
    print("heed:", *lines, sep=" " if len(lines) == 1 else "\n  ", file=sys.stderr)
