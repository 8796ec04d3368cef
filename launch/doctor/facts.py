"""Facts about this machine's processors, as its driver, torch and the kernel tell them; the checks judge them."""

import os
import shutil
import sysconfig
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

from launch.plan.nvidia import Gpu, driver_lines, parse_gpus
from rl.common.attention_kernels import choose_attention_kernels
from rl.common.cpu import cpu_words
from rl.common.threads import available_cores

COMPILERS = ("gcc", "clang", "cc")
CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "AuthenticAMD")


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuFacts:
    """What decides whether torch can use this machine's GPUs, and how.

    Example:
        GpuFacts(gpus=(Gpu(...),), hidden=0, torch="2.13.0+cu130", cuda="13.0", available=True, architectures=("sm_75",
                 "sm_80"), cudnn=92000, kernels=("flash", "math"), compiler="/usr/bin/gcc", headers=True)
    """

    gpus: tuple[Gpu, ...]
    """Those that CUDA_VISIBLE_DEVICES shows."""
    hidden: int
    """How many it hides."""
    torch: str
    cuda: str | None
    """The CUDA that torch was built for; None for a CPU build."""
    available: bool
    """Whether torch can compute on a GPU."""
    architectures: tuple[str, ...]
    """What torch has kernels for, as in sm_80."""
    cudnn: int | None
    kernels: tuple[str, ...]
    """Attention kernels that a run leaves torch to choose from."""
    compiler: str | None
    headers: bool
    """Whether Python.h is there, which Triton compiles against."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuFacts:
    """What decides how fast torch computes on this machine's CPU.

    Example:
        CpuFacts(cores=8, flags=frozenset({"avx2", "avx512f"}), used="AVX512")
    """

    cores: int
    """Those that this process may use."""
    flags: frozenset[str]
    """Of `CPU_FLAGS`, what the CPU has; AMD's are marked, whose AVX512-BF16 is faster than float32."""
    used: str
    """What torch's own kernels use, as in AVX2; `DEFAULT` is none."""


def gather_gpu_facts() -> GpuFacts:
    """Ask the driver, torch and this environment."""
    with warnings.catch_warnings(action="ignore"):  # torch warns of an old driver, and the check says what to do
        available = torch.cuda.is_available()
    lines = driver_lines()
    gpus = parse_gpus(lines, os.environ)
    named = [os.environ["CC"]] if os.environ.get("CC") else list(COMPILERS)
    return GpuFacts(
        gpus=tuple(gpus),
        hidden=len(parse_gpus(lines, {})) - len(gpus),
        torch=torch.__version__,
        cuda=torch.version.cuda,
        available=available,
        architectures=tuple(torch.cuda.get_arch_list()) if available else (),
        cudnn=torch.backends.cudnn.version() if available else None,
        kernels=tuple(choose_attention_kernels()),
        compiler=next((path for name in named if (path := shutil.which(name))), None),
        headers=Path(sysconfig.get_paths()["include"], "Python.h").is_file(),
    )


def gather_cpu_facts(cpuinfo: Path = Path("/proc/cpuinfo")) -> CpuFacts:
    """Ask the kernel and torch."""
    return CpuFacts(
        cores=available_cores(),
        flags=frozenset(cpu_words(cpuinfo) & set(CPU_FLAGS)),
        used=torch.backends.cpu.get_cpu_capability(),
    )
