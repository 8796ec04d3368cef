"""A stage that never ends, nor does the process that it started in a group of its own; it says that one's id."""

import subprocess
import sys
import threading
from collections.abc import Iterator


def measure(setup: object) -> Iterator[dict]:
    forever = "import threading; threading.Event().wait()"
    child = subprocess.Popen([sys.executable, "-c", forever], start_new_session=True)
    yield {"child": child.pid}
    threading.Event().wait()
