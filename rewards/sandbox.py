"""Isolation: a verifier given by the user, run in processes of its own with a limit of time and of memory."""

import logging
import multiprocessing
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from types import TracebackType
from typing import Any

from rewards.sandbox_worker import Keywords, serve
from rewards.verdict import NOT_APPLICABLE, Verdict

LOGGER = logging.getLogger("heed.rewards")
START_SECONDS = 120.0
"""For a process to start, import the function and say so."""
END_SECONDS = 10.0
"""For a process that closed its pipe to end by itself, so that its exit code is its own."""


class VerifierFailed(ValueError):
    """A verifier given by the user cannot be relied on; the message says what it did."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one call may use.

    Example:
        Limits(seconds=2.0, mebibytes=512, failures=3)
    """

    seconds: float = 5.0
    mebibytes: int = 1024
    """Address space of a process."""
    failures: int = 3
    """Calls in a row that may hang or kill their process; one more stops the run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One completion to verify.

    Example:
        Request(completion="Rain.", prompt="Write about rain.", kwargs={"minimum": 3})
    """

    completion: str
    prompt: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


class IsolatedVerifier:
    """Calls `path/to/file.py:function` or `package.module:function` in a pool of processes.

    The function has a verifier's signature, `(completion, *, prompt, **kwargs) -> Verdict`. A call that hangs or kills
    its process is logged and gives the verdict "not applicable": never a satisfied one, and no signal. A call that
    raises is a bug, and stops the run.

    Raises:
        VerifierFailed: the function raised, could not be loaded, or failed too often in a row.
    """

    def __init__(self, reference: str, *, workers: int = 1, limits: Limits | None = None) -> None:
        if workers < 1:
            raise ValueError(f"an isolated verifier needs at least 1 worker, got {workers}")
        self.reference = reference
        self.limits = limits or Limits()
        self._folder = TemporaryDirectory(prefix="heed-verifier-")
        self._num_started = 0
        self._num_failures = 0
        self._idle: list[_Worker] = []
        with ExitStack() as undo:
            undo.callback(self.close)
            for _ in range(workers):
                self._idle.append(self._start())
            undo.pop_all()
        self.keywords = self._idle[0].keywords

    def verify(self, completion: str, *, prompt: str, **kwargs: Any) -> Verdict:
        """The function's verdict about one completion."""
        return self.verify_all([Request(completion=completion, prompt=prompt, kwargs=kwargs)])[0]

    def verify_all(self, requests: Sequence[Request]) -> list[Verdict]:
        """The function's verdicts, in the order of the requests."""
        verdicts: dict[int, Verdict] = {}
        waiting = deque(enumerate(requests))
        busy: list[_Worker] = []
        with ExitStack() as undo:
            undo.callback(lambda: [worker.end() for worker in busy])  # none, unless an error leaves early
            while waiting or busy:
                while waiting and self._idle:
                    busy.append(self._idle.pop())
                    busy[-1].ask(*waiting.popleft())
                patience = min(worker.deadline for worker in busy) - monotonic()
                wait([worker.connection for worker in busy], timeout=max(0.0, patience))
                for worker in [worker for worker in busy if worker.is_due()]:
                    busy.remove(worker)
                    verdicts[worker.index] = self._collect(worker)
        return [verdicts[index] for index in range(len(requests))]

    def close(self) -> None:
        """End all processes."""
        while self._idle:
            self._idle.pop().end()
        self._folder.cleanup()

    def __enter__(self) -> "IsolatedVerifier":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> "_Worker":
        self._num_started += 1
        errors = Path(self._folder.name) / f"{self._num_started}.log"
        return _Worker(self.reference, limits=self.limits, errors=errors)

    def _collect(self, worker: "_Worker") -> Verdict:
        verdict, failure = worker.answer()
        if verdict is not None:
            self._num_failures = 0
            self._idle.append(worker)
            return verdict
        self._num_failures += 1
        self._idle.append(self._start())
        if self._num_failures > self.limits.failures:
            raise VerifierFailed(f"verifier {self.reference} failed {self._num_failures} times in a row: {failure}")
        LOGGER.error("verifier %s: %s; this completion gets no verdict", self.reference, failure)
        return NOT_APPLICABLE


class _Worker:
    """One process, and the request it is busy with."""

    def __init__(self, reference: str, *, limits: Limits, errors: Path) -> None:
        # spawn: a fork would copy the trainer's memory and the locks its threads hold
        context = multiprocessing.get_context("spawn")
        self.reference = reference
        self.limits = limits
        self.errors = errors
        self.index = -1
        self.connection, theirs = context.Pipe()
        arguments = (theirs, reference, limits.mebibytes, str(errors))
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.deadline = monotonic() + START_SECONDS
        if not self.connection.poll(START_SECONDS):
            self.end()
            raise VerifierFailed(f"verifier {reference} did not start within {START_SECONDS:g} s")
        keywords = self._receive()
        if keywords is None:
            raise VerifierFailed(f"verifier {reference} could not be loaded: {self._last_words()}")
        self.keywords: Keywords = keywords

    def ask(self, index: int, request: Request) -> None:
        self.index = index
        self.deadline = monotonic() + self.limits.seconds
        with suppress(BrokenPipeError):  # it died while it waited; `answer` finds that out
            self.connection.send((request.completion, request.prompt, dict(request.kwargs)))

    def is_due(self) -> bool:
        return self.connection.poll() or monotonic() >= self.deadline

    def answer(self) -> tuple[Verdict | None, str]:
        """The verdict, or None and what happened instead."""
        if not self.connection.poll():
            self.end()
            return None, f"took longer than {self.limits.seconds:g} s"
        verdict = self._receive()
        if verdict is not None:
            return verdict, ""
        last_words = self._last_words()
        if self.process.exitcode == 1 and not last_words.startswith("MemoryError"):
            raise VerifierFailed(f"verifier {self.reference} raised {last_words}")
        return None, f"its process ended with code {self.process.exitcode}: {last_words}"

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _receive(self) -> Any:
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):  # the other end is gone
            return None

    def _last_words(self) -> str:
        self.process.join(END_SECONDS)
        self.end()
        lines = self.errors.read_text(errors="replace").split("\n") if self.errors.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
