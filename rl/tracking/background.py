"""Background thread: makes calls in order; the caller never waits for them, nor for their failures."""

import threading
from collections.abc import Callable
from queue import Empty, Full, Queue
from typing import Any

CAPACITY = 1_000


class BackgroundThread:
    """Makes calls one after the other in a daemon thread.

    When one raises, those after it are dropped; when the queue is full, the newest are. Either is reported once.
    """

    def __init__(self, name: str, warn: Callable[[str], None], *, capacity: int = CAPACITY):
        self.name = name
        self._warn = warn
        self._warned = False
        self._failed = threading.Event()
        self._calls: Queue[tuple[Callable[..., Any], tuple[Any, ...]] | None] = Queue(capacity)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Queue a call of `function`."""
        if self._failed.is_set():
            return
        try:
            self._calls.put_nowait((function, arguments))
        except Full:
            self._warn_once(f"{self.name} does not keep up: some of what it should show is left out")

    def close(self, timeout: float) -> bool:
        """Let the queued calls finish, for at most `timeout` seconds; return whether all did."""
        try:
            self._calls.put(None, timeout=timeout)
        except Full:
            pass
        else:
            self._thread.join(timeout)
        if self._thread.is_alive():
            self._warn_once(f"{self.name} has not finished within {timeout:.0f} s; the run goes on without it")
        return not self._thread.is_alive() and not self._failed.is_set()

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            function, arguments = item
            try:
                function(*arguments)
            except Exception as error:  # whatever a tracker raises must not end the training
                self._failed.set()
                reason = (str(error).strip().splitlines() or [""])[0]
                self._warn_once(f"{self.name} failed and is left out from here on ({type(error).__name__}: {reason})")
                self._clear()
                return

    def _clear(self) -> None:
        while True:
            try:
                self._calls.get_nowait()
            except Empty:
                return

    def _warn_once(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(message)
