"""A stage whose process dies, as by a fault of a kernel or for want of memory, and leaves a child."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator


def measure(setup: object) -> Iterator[dict]:
    child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
    yield {"child": child.pid}
    print("Fatal Python error: Segmentation fault", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
