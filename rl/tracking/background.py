"""Background: calls made in order by another thread; the caller never waits for them, nor for their failures."""

import threading
from collections.abc import Callable
from queue import Empty, Full, Queue
from typing import Any

CAPACITY = 1_000


class Background:
    """Runs calls one after the other in a daemon thread.

    When one raises, those after it are dropped; when the queue is full, the newest are. Either is told once.
    """

    def __init__(self, name: str, warn: Callable[[str], None], *, capacity: int = CAPACITY):
        self.name = name
        self._warn = warn
        self._told = False
        self._failed = threading.Event()
        self._calls: Queue[tuple[Callable[..., Any], tuple[Any, ...]] | None] = Queue(capacity)
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have `function` called in its turn."""
        if self._failed.is_set():
            return
        try:
            self._calls.put_nowait((function, arguments))
        except Full:
            self._tell(f"{self.name} does not keep up: some of what it should show is left out")

    def close(self, patience: float) -> bool:
        """Let what is queued finish, for at most `patience` seconds; whether it all did."""
        try:
            self._calls.put(None, timeout=patience)
        except Full:
            pass
        else:
            self._thread.join(patience)
        if self._thread.is_alive():
            self._tell(f"{self.name} has not finished within {patience:.0f} s; the run goes on without it")
        return not self._thread.is_alive() and not self._failed.is_set()

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            function, arguments = item
            try:
                function(*arguments)
            except Exception as error:  # whatever a tracker raises, the training is worth more
                self._failed.set()
                reason = (str(error).strip().splitlines() or [""])[0]
                self._tell(f"{self.name} failed and is left out from here on ({type(error).__name__}: {reason})")
                self._forget()
                return

    def _forget(self) -> None:
        while True:
            try:
                self._calls.get_nowait()
            except Empty:
                return

    def _tell(self, message: str) -> None:
        if not self._told:
            self._told = True
            self._warn(message)
