"""NVIDIA GPUs of this machine, as their driver reports them; found without torch."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

FIELDS = ("index", "uuid", "name", "memory.total", "memory.free", "driver_version", "compute_cap")
"""What `nvidia-smi` is asked for; drivers before 470 do not know the last."""
BF16_CAPABILITY = (8, 0)
"""Compute capability of Ampere, the first generation that multiplies bfloat16."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """One GPU.

    Example:
        Gpu(name="Tesla T4", memory=16_106_127_360, free=15_800_000_000, driver="580.65.06", capability=(7, 5))
    """

    name: str
    memory: int
    """Bytes."""
    free: int
    """Bytes that no process uses."""
    driver: str
    capability: tuple[int, int] | None
    """Compute capability; None from a driver that does not tell it."""

    @property
    def has_bf16(self) -> bool:
        return self.capability is not None and self.capability >= BF16_CAPABILITY

    @property
    def title(self) -> str:
        """Its name, with the capability that decides what it can compute."""
        return self.name if self.capability is None else "{} (sm_{}{})".format(self.name, *self.capability)


def nvidia_gpus() -> list[Gpu]:
    """Return the GPUs that this process may use; none where there is no driver or CUDA_VISIBLE_DEVICES hides them."""
    return parse_gpus(driver_lines(), os.environ)


def driver_lines() -> str:
    """Return the lines of `nvidia-smi` about this machine's GPUs; empty where there is no driver."""
    return _query(FIELDS) or _query(FIELDS[:-1])


def parse_gpus(text: str, environment: Mapping[str, str]) -> list[Gpu]:
    """Return the GPUs in the lines of `nvidia-smi`, those that CUDA_VISIBLE_DEVICES names, in its order."""
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]
    named = {key: _gpu(row) for row in rows if len(row) >= len(FIELDS) - 1 and row[3].isdigit() for key in row[:2]}
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [named[key] for key in named if key.isdigit()]
    # as CUDA does, stop at the first name that is unknown, and take the beginning of a UUID for the whole
    found = []
    for name in (name.strip() for name in visible.split(",")):
        match = [key for key in named if key == name or (key.startswith(name) and name.startswith("GPU-"))]
        if not match:
            break
        found.append(named[match[0]])
    return found


def _gpu(row: list[str]) -> Gpu:
    _, _, name, memory, free, driver, *capability = row
    major, _, minor = (capability[0] if capability else "").partition(".")
    return Gpu(
        name=name,
        memory=int(memory) * 2**20,
        free=int(free) * 2**20 if free.isdigit() else int(memory) * 2**20,
        driver=driver,
        capability=(int(major), int(minor)) if major.isdigit() and minor.isdigit() else None,
    )


def _query(fields: tuple[str, ...]) -> str:
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return outcome.stdout if outcome.returncode == 0 else ""
