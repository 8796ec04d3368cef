"""Sandbox: runs a custom verifier in processes of its own, with limits on time and memory."""

import logging
import multiprocessing
import os
import signal
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

from rewards.errors import InputError
from rewards.python_file import USER_FOLDERS
from rewards.sandbox_answer import AnswerReader, clean_line, read_answer
from rewards.sandbox_worker import KeywordParameters, serve
from rewards.verdict import NOT_APPLICABLE, Verdict

LOGGER = logging.getLogger("heed.rewards")
START_TIMEOUT = 120.0
"""Seconds a process may take to start, import the function and report back."""
LOG_BYTES = 1 << 16
EXIT_TIMEOUT = 10.0
"""Seconds a process that closed its pipe may take to exit, so that its exit code is its own."""


class VerifierError(InputError):
    """A custom verifier failed; the message says how."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxLimits:
    """What one call of a custom verifier may use.

    Example:
        Limits(seconds=2.0, mebibytes=512, failures=3)
    """

    seconds: float = 5.0
    """Wall-clock time of one call."""
    mebibytes: int = 1024
    """Address space of a process."""
    failures: int = 3
    """Number of consecutive calls that may hang or kill their process; one more stops the run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifierCall:
    """One completion to verify.

    Example:
        Request(completion="Rain.", prompt="Write about rain.", kwargs={"minimum": 3})
    """

    completion: str
    prompt: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


class SandboxedVerifier:
    """Calls `path/to/file.py:function` or `package.module:function` in a pool of processes.

    The function has a verifier's signature, `(completion, *, prompt, **kwargs) -> Verdict`. A call that hangs or kills
    its process is logged and gives the verdict "not applicable": never a satisfied one, and no signal. A call that
    raises is a bug, and stops the run.

    Raises:
        VerifierError: the function raised, could not be loaded, or failed too often in a row.
    """

    def __init__(self, reference: str, *, workers: int = 1, limits: SandboxLimits | None = None) -> None:
        if workers < 1:
            raise ValueError(f"a sandboxed verifier needs at least 1 worker, got {workers}")
        self.reference = reference
        self.limits = limits or SandboxLimits()
        self._folder = TemporaryDirectory(prefix="heed-verifier-")
        self._num_started = 0
        self._num_failures = 0
        self._idle: list[_Worker] = []
        with ExitStack() as on_error:
            on_error.callback(self.close)
            for _ in range(workers):
                self._idle.append(self._start())
            on_error.pop_all()
        self.keywords = self._idle[0].keywords

    def verify(self, completion: str, *, prompt: str, **kwargs: Any) -> Verdict:
        """Return the function's verdict about one completion."""
        return self.verify_all([VerifierCall(completion=completion, prompt=prompt, kwargs=kwargs)])[0]

    def verify_all(self, calls: Sequence[VerifierCall]) -> list[Verdict]:
        """Return the function's verdicts, in the order of the calls."""
        verdicts: dict[int, Verdict] = {}
        waiting = deque(enumerate(calls))
        busy: list[_Worker] = []
        with ExitStack() as cleanup:
            cleanup.callback(lambda: [worker.kill() for worker in busy])  # none, unless an error leaves early
            while waiting or busy:
                while waiting and self._idle:
                    busy.append(self._idle.pop())
                    busy[-1].send(*waiting.popleft())
                seconds_left = min(worker.deadline for worker in busy) - monotonic()
                wait([worker.connection for worker in busy], timeout=max(0.0, seconds_left))
                for worker in [worker for worker in busy if worker.is_finished()]:
                    busy.remove(worker)
                    verdicts[worker.index] = self._collect(worker)
        return [verdicts[index] for index in range(len(calls))]

    def close(self) -> None:
        """End all processes."""
        while self._idle:
            self._idle.pop().kill()
        self._folder.cleanup()

    def __enter__(self) -> "SandboxedVerifier":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> "_Worker":
        self._num_started += 1
        error_log = Path(self._folder.name) / f"{self._num_started}.log"
        return _Worker(self.reference, limits=self.limits, error_log=error_log)

    def _collect(self, worker: "_Worker") -> Verdict:
        verdict, failure = worker.receive_verdict()
        if verdict is not None:
            self._num_failures = 0
            self._idle.append(worker)
            return verdict
        self._num_failures += 1
        self._idle.append(self._start())
        if self._num_failures > self.limits.failures:
            raise VerifierError(f"verifier {self.reference} failed {self._num_failures} times in a row: {failure}")
        LOGGER.error("verifier %s: %s; this completion gets no verdict", self.reference, failure)
        return NOT_APPLICABLE


class _Worker:
    """One process and the call it is working on."""

    def __init__(self, reference: str, *, limits: SandboxLimits, error_log: Path) -> None:
        # spawn: a fork would copy the trainer's memory and the locks its threads hold
        context = multiprocessing.get_context("spawn")
        self.reference = reference
        self.limits = limits
        self.error_log = error_log
        self.index = -1
        self.connection, child_connection = context.Pipe()
        self.answer = AnswerReader(self.connection)  # pyright: ignore[reportArgumentType]  (Windows has another)
        self.completion = ""
        self.number = 0
        """Of the latest call."""
        arguments = (child_connection, reference, limits.mebibytes, str(error_log), tuple(USER_FOLDERS))
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        assert self.process.pid is not None, "a started process has a number"
        self.pid = self.process.pid
        child_connection.close()
        self.deadline = monotonic() + START_TIMEOUT
        self.keywords = self._receive_keywords()

    def _receive_keywords(self) -> KeywordParameters:
        """Wait until the process has loaded the function. Raises VerifierError when it cannot."""
        while not self.is_finished():
            wait([self.connection], timeout=max(0.0, self.deadline - monotonic()))
        if not self.answer.is_complete():
            self.kill()
            raise VerifierError(f"verifier {self.reference} did not start within {START_TIMEOUT:g} s")
        try:
            required, optional, accepts_any = self.answer.take()
        except (EOFError, TypeError, ValueError):
            raise VerifierError(f"verifier {self.reference} could not be loaded: {self._last_error_line()}") from None
        return KeywordParameters(required=tuple(required), optional=tuple(optional), accepts_any=accepts_any)

    def send(self, index: int, call: VerifierCall) -> None:
        """Start a call; its time limit begins now."""
        self.index, self.completion, self.number = index, call.completion, self.number + 1
        self.deadline = monotonic() + self.limits.seconds
        with suppress(BrokenPipeError):  # the process died while idle; `receive_verdict` reports it
            self.connection.send((self.number, call.completion, call.prompt, dict(call.kwargs)))

    def is_finished(self) -> bool:
        """Return whether the process has answered or its time is up."""
        return self.answer.is_complete() or monotonic() >= self.deadline

    def receive_verdict(self) -> tuple[Verdict | None, str]:
        """Return the verdict, or None and what happened instead."""
        if not self.answer.is_complete():
            self.kill()
            return None, f"took longer than {self.limits.seconds:g} s"
        try:
            return read_answer(self.answer.take(), self.number, self.completion), ""
        except EOFError:
            pass
        except ValueError as error:
            self.kill()
            return None, clean_line(str(error))
        error = self._last_error_line()
        if self.process.exitcode == 1 and not error.startswith("MemoryError"):
            raise VerifierError(f"verifier {self.reference} raised {error}")
        return None, f"its process ended with code {self.process.exitcode}: {error}"

    def kill(self) -> None:
        """End the process with all that it has started, and close its pipe."""
        with suppress(ProcessLookupError):  # it has not come to lead a group, or the group has ended
            os.killpg(self.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _last_error_line(self) -> str:
        wait([self.process.sentinel], timeout=EXIT_TIMEOUT)  # not `join`: the number must stay the process's own
        self.kill()
        lines = _last_lines(self.error_log) if self.error_log.exists() else []
        return next((line for line in map(clean_line, reversed(lines)) if line), "it printed no error")


def _last_lines(path: Path) -> list[str]:
    """Return the lines in a file's last bytes; a verifier may print without end."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        return file.read().decode(errors="replace").split("\n")
