"""The stop file: ends a run at its step's end, as a signal does, on whichever machine it runs."""

import signal
from pathlib import Path

from rl.atomic import write_text

STOP = "stop"
"""In the run folder; it holds a signal's number, or nothing if somebody touched it."""


def ask_to_stop(folder: Path, number: int) -> None:
    write_text(folder / STOP, f"{number}\n")


def take_stop(folder: Path) -> int | None:
    """The signal that the run was asked to stop by, once; None while nobody has."""
    asked = folder / STOP
    if not asked.exists():
        return None
    text = asked.read_text().strip()
    asked.unlink()
    return signal.SIGTERM if text == str(int(signal.SIGTERM)) else signal.SIGINT
