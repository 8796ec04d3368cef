"""Checks of this machine: memory, disk, run folder, clock and ports."""

import os
import shutil
import socket
import tempfile
import time
from pathlib import Path

from launch.doctor.check import Check
from launch.plan.device import machine_memory
from launch.plan.show import size

MEMORY_FOR_QUICKSTART = 6e9
DISK_FOR_A_RUN = 2e9
CLOCK_SKEW = 2.0
"""Seconds between this machine's clock and the file system's above which times cannot be compared."""
PORTS = {29500: "torchrun", 6379: "ray", 8265: "ray's dashboard and jobs"}


def check_memory() -> Check:
    """Check that the quickstart fits into memory."""
    memory = machine_memory()
    if memory >= MEMORY_FOR_QUICKSTART:
        return Check(name="memory", level="pass", finding=size(memory))
    return Check(
        name="memory",
        level="warn",
        finding=f"{size(memory)}; the quickstart needs {size(int(MEMORY_FOR_QUICKSTART))}",
        fix="heed plan RECIPE says what a recipe needs, and which setting lowers it",
    )


def check_disk(folder: Path) -> Check:
    """Check the free space where runs are written."""
    free = shutil.disk_usage(_existing(folder)).free
    if free >= DISK_FOR_A_RUN:
        return Check(name="disk", level="pass", finding=f"{size(free)} free at {folder}")
    return Check(
        name="disk",
        level="warn",
        finding=f"{size(free)} free at {folder}",
        fix="free some, lower trainer.save_total_limit, or set run.folder to another disk",
    )


def check_run_folder(folder: Path) -> list[Check]:
    """Check that a file can be written where runs are, and that its time agrees with the clock."""
    existing = _existing(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=existing) as file:
            written = time.time()
            file.write(b"x")
            file.flush()
            skew = abs(os.stat(file.name).st_mtime - written)
    except OSError as error:
        finding = f"{existing} cannot be written: {error.strerror}"
        return [Check(name="run folder", level="fail", finding=finding, fix="set run.folder to a folder you may write")]
    return [Check(name="run folder", level="pass", finding=f"{existing} can be written"), check_clock(skew)]


def check_clock(skew: float) -> Check:
    """Judge the seconds between this machine's clock and the file system's."""
    if skew <= CLOCK_SKEW:
        return Check(name="clock", level="pass", finding=f"within {skew:.1f} s of the file system's")
    return Check(
        name="clock",
        level="warn",
        finding=f"{skew:.1f} s apart from the file system's",
        fix="set up time synchronisation (chrony, systemd-timesyncd) on every node",
    )


def check_ports(ports: dict[int, str] | None = None) -> Check:
    """Check the ports that a start on several processes or nodes listens on."""
    wanted = PORTS if ports is None else ports
    taken = {port: use for port, use in wanted.items() if not _is_free(port)}
    if not taken:
        return Check(name="ports", level="pass", finding=f"{', '.join(map(str, wanted))} are free")
    uses = ", ".join(f"{port} ({use})" for port, use in taken.items())
    return Check(
        name="ports",
        level="warn",
        finding=f"in use: {uses}",
        fix="a cluster that runs already may use them; else choose others (torchrun --master-port, ray start --port)",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
