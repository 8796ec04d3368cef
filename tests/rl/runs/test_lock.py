"""Run lock: one process at a time, named to the others, and free again when that process is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rl.runs.lock import LOCK, run_lock


def hold(folder: Path) -> subprocess.Popen:
    """Lock the folder in another process, which waits for its end."""
    text = f"""
import signal
from pathlib import Path
from rl.runs.lock import run_lock
with run_lock(Path({str(folder)!r})):
    print("held", flush=True)
    signal.pause()
"""
    holder = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "held\n"
    return holder


def test_run_lock__names_its_holder_and_dies_with_it(tmp_path):
    with hold(tmp_path) as holder:
        with pytest.raises(ValueError, match=f"{tmp_path} is in use by process {holder.pid} on "), run_lock(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
    assert (tmp_path / LOCK).read_text().startswith(f"process {holder.pid} on ")  # a file alone is no lock
    with run_lock(tmp_path):
        assert (tmp_path / LOCK).read_text().startswith(f"process {os.getpid()} on ")
    assert list(tmp_path.iterdir()) == []


def test_run_lock__leaves_no_file_after_an_error(tmp_path):
    with pytest.raises(KeyError), run_lock(tmp_path):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
