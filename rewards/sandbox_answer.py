"""Sandbox answers: what a verifier's process sends, lines of JSON, read without waiting and checked by value."""

import json
import os
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from rewards.verdict import Verdict

MAX_BYTES = 1 << 20
MAX_SPANS = 10_000
"""Most evidence spans of a verdict."""
CHUNK = 1 << 16


def write_line(connection: Connection, value: Any) -> None:
    """Send a value as a line of JSON."""
    rest = json.dumps(value).encode() + b"\n"
    while rest:
        rest = rest[os.write(connection.fileno(), rest) :]


def verdict_values(verdict: Any) -> list[Any]:
    """Return a verdict's values for `write_line`; numbers of numpy and torch become Python's.

    Raises TypeError for what is no Verdict.
    """
    if not isinstance(verdict, Verdict):
        raise TypeError(f"it must return a Verdict, got {verdict!r:.200}")
    spans = [[_plain(end) for end in span] for span in verdict.evidence[: MAX_SPANS + 1]]
    return [_plain(verdict.satisfied), _plain(verdict.margin), spans]


def read_answer(values: Any, number: int, completion: str) -> Verdict:
    """Return the verdict in the answer `[call's number, *values]`; raises ValueError as `read_verdict` does."""
    if not isinstance(values, list) or values[:1] != [number]:
        raise ValueError("it sent an answer that belongs to no call")
    return read_verdict(values[1:], completion)


def read_verdict(values: Any, completion: str) -> Verdict:
    """Return the verdict with these values about a completion.

    Raises ValueError unless satisfied is a bool or None, margin a finite number that agrees with it, and evidence at
    most `MAX_SPANS` spans of the completion.
    """
    if not isinstance(values, list) or len(values) != 3:
        raise ValueError("no verdict was sent")
    satisfied, margin, evidence = values
    if not (satisfied is None or isinstance(satisfied, bool)):
        raise ValueError(f"satisfied must be True, False or None, got {satisfied!r:.100}")
    if isinstance(margin, bool) or not isinstance(margin, int | float):
        raise ValueError(f"margin must be a number, got {margin!r:.100}")
    if not isinstance(evidence, list) or len(evidence) > MAX_SPANS:
        raise ValueError(f"evidence must be at most {MAX_SPANS} spans (start, end)")
    spans = tuple(_span(span, len(completion)) for span in evidence)
    return Verdict(satisfied=satisfied, margin=float(margin), evidence=spans)


def _plain(value: Any) -> Any:
    return value.item() if callable(getattr(value, "item", None)) else value


def _span(span: Any, length: int) -> tuple[int, int]:
    whole = isinstance(span, Sequence) and len(span) == 2 and all(type(end) is int for end in span)
    if not whole or not 0 <= span[0] < span[1] <= length:
        raise ValueError(f"evidence {span!r:.100} is no span (start, end) of a text of {length} characters")
    return span[0], span[1]


class AnswerReader:
    """Collects the bytes of one answer at a time, and never waits for one.

    Example:
        reader = AnswerReader(connection)
        while not reader.is_complete():
            wait([connection], timeout=1.0)
        values = reader.take()
    """

    def __init__(self, connection: Connection):
        self.connection = connection
        self.has_ended = False
        """Whether the other end was closed."""
        self._received = bytearray()

    def is_complete(self) -> bool:
        """Take the bytes that have come; return whether they are an answer, or none can come any more."""
        while not self.has_ended and not self._has_answer() and self.connection.poll():
            try:
                chunk = os.read(self.connection.fileno(), CHUNK)
            except ConnectionResetError:
                chunk = b""
            self.has_ended = not chunk
            self._received += chunk
        return self.has_ended or self._has_answer()

    def take(self) -> Any:
        """Return the answer's value. Raises ValueError for bytes that are not one line of JSON, EOFError for none."""
        answer, self._received = bytes(self._received), bytearray()
        line, newline, rest = answer.partition(b"\n")
        if not newline and self.has_ended:
            raise EOFError
        if not newline or rest:
            raise ValueError(f"it sent {len(answer)} bytes that are no answer")
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"it sent {len(answer)} bytes that are no answer") from error

    def _has_answer(self) -> bool:
        return b"\n" in self._received or len(self._received) > MAX_BYTES


def clean_line(text: str, *, longest: int = 300) -> str:
    """Return a text as one line of printable characters, cut to `longest` of them."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(printable.split())
    return line if len(line) <= longest else f"{line[:longest]}..."
