"""Helper: a real vLLM server on loopback, in a process of its own, and whatever it takes to end it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

START_SECONDS = 900.0
"""On a busy machine."""
OPTIONS = ("--dtype", "float32", "--enforce-eager", "--enable-lora", "--logprobs-mode", "processed_logprobs")
ENVIRONMENT = {
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


@contextmanager
def real_vllm_server(model: Path, log: Path, *options: str) -> Iterator[str]:
    """Serve a model for the block, at the address that is yielded; `log` gets what vLLM prints."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    program = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*program, "--model", str(model), *OPTIONS, *options],
            env={**os.environ, **ENVIRONMENT},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its own processes are to end with it
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(url, process, log)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_healthy(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if httpx2.get(f"{url}/health", timeout=10).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        assert process.poll() is None, f"vLLM ended: {log.read_text()[-2000:]}"
        assert time.monotonic() < deadline, f"vLLM did not start: {log.read_text()[-2000:]}"
        time.sleep(0.5)
