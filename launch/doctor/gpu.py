"""Checks of GPUs: whether this torch can use them, by which kernels, and what is free on them."""

import re
from collections.abc import Iterator

from launch.doctor.check import Check
from launch.doctor.cpu import check_cpu
from launch.doctor.facts import CpuFacts, GpuFacts
from launch.plan.nvidia import BF16_CAPABILITY, Gpu
from launch.plan.show import size

FIRST_DRIVER = {11: 450, 12: 525, 13: 580}
"""CUDA's major version -> the first driver that runs it."""
HOPPER = (9, 0)
"""The first capability on which torch prefers cuDNN's attention."""
FREE = 0.9
"""Share of a GPU that should be free, as `heed plan` lets a run fill so much."""


def check_devices(gpu: GpuFacts, cpu: CpuFacts) -> list[Check]:
    """Judge the GPUs, or the CPU where there are none."""
    if not gpu.gpus:
        hidden = f", {gpu.hidden} hidden by CUDA_VISIBLE_DEVICES" if gpu.hidden else ""
        return [Check(name="devices", level="pass", finding=f"no GPU{hidden}: runs use the CPU"), check_cpu(cpu)]
    names = ", ".join(f"{one.title} with {size(one.memory)}" for one in gpu.gpus)
    found = Check(name="devices", level="pass", finding=f"{len(gpu.gpus)} GPU(s): {names}")
    driver = check_driver(gpu)
    if driver.level == "fail":  # torch can tell nothing more
        return [found, driver, check_cpu(cpu)]
    return [found, driver, *check_capability(gpu), check_attention(gpu), *check_free(gpu), check_compiler(gpu)]


def check_driver(facts: GpuFacts) -> Check:
    """Compare the driver with torch's build; runs would otherwise take the CPU without a word."""
    version = facts.gpus[0].driver
    if facts.cuda is None:
        return _no_cuda(
            f"torch {facts.torch} is built for CPUs: runs would not use the GPUs",
            "delete .venv and run `make setup` here, where the driver is: it installs the build for CUDA",
        )
    first = FIRST_DRIVER.get(int(facts.cuda.partition(".")[0]), 0)
    if (major := version.partition(".")[0]).isdigit() and int(major) < first:
        return _no_cuda(
            f"{version} is too old for torch {facts.torch}: CUDA {facts.cuda} needs {first} or later, and runs would "
            "use the CPU",
            f"update the driver to {first} or later",
        )
    if not facts.available:
        return _no_cuda(
            f"{version} suffices for CUDA {facts.cuda}, but torch cannot use a GPU: runs would use the CPU",
            "restart the machine after a driver update; in a container, hand the GPUs through (--gpus all); "
            '`python -c "import torch; torch.cuda.init()"` gives the reason',
        )
    return Check(name="driver", level="pass", finding=f"{version}, torch {facts.torch}")


def _no_cuda(finding: str, fix: str) -> Check:
    return Check(name="driver", level="fail", finding=finding, fix=fix)


def check_capability(facts: GpuFacts) -> Iterator[Check]:
    """Judge whether torch has kernels for each kind of GPU, and whether it multiplies bfloat16."""
    for gpu in {gpu.title: gpu for gpu in facts.gpus}.values():
        if gpu.capability is None:
            continue  # the driver does not tell
        if not _has_kernels(gpu.capability, facts.architectures):
            yield Check(
                name="capability",
                level="fail",
                finding=f"{gpu.title}: torch {facts.torch} has kernels for {', '.join(facts.architectures)} only",
                fix="take a GPU among these, or hide this one by CUDA_VISIBLE_DEVICES",
            )
        elif not gpu.has_bf16:
            yield Check(
                name="capability",
                level="warn",
                finding=f"{gpu.title} multiplies no bfloat16: model.dtype=auto takes float32, twice the memory",
                fix="`heed plan RECIPE` says what fits; GPUs of the Ampere generation (sm_80) and later have bfloat16",
            )
        else:
            yield Check(name="capability", level="pass", finding=f"{gpu.title} multiplies bfloat16")


def _has_kernels(capability: tuple[int, int], architectures: tuple[str, ...]) -> bool:
    """Whether binaries of the same generation, or code that the driver compiles, cover the capability."""
    major, minor = capability
    for kind, digits, exact in re.findall(r"(sm|compute)_(\d+)([af]?)", " ".join(architectures)):
        built = int(digits[:-1]), int(digits[-1])
        if built == capability or (not exact and built[0] == major and built[1] <= minor):
            return True
        if kind == "compute" and not exact and built <= capability:
            return True
    return False


def check_attention(facts: GpuFacts) -> Check:
    """Judge the kernels that runs compute attention by; cuDNN's, which they switch off, is wrong with padding."""
    version = _cudnn_version(facts.cudnn)
    hopper = [gpu for gpu in facts.gpus if gpu.capability is not None and gpu.capability >= HOPPER]
    if hopper and "cudnn" in facts.kernels:
        return Check(
            name="attention",
            level="warn",
            finding=f"torch prefers {version} on {hopper[0].title}, whose gradients can be NaN with padding "
            "(pytorch #196678)",
            fix="set TORCH_CUDNN_SDPA_DEPRIORITIZED=1, and report this: runs should have switched it off",
        )
    usable = [kernel for kernel in facts.kernels if kernel != "cudnn" and (kernel != "flash" or _all_ampere(facts))]
    return Check(name="attention", level="pass", finding=f"{', '.join(usable)}; {version} computes none")


def _all_ampere(facts: GpuFacts) -> bool:
    return all(gpu.capability is not None and gpu.capability >= BF16_CAPABILITY for gpu in facts.gpus)


def _cudnn_version(version: int | None) -> str:
    """Return cuDNN's version as its makers write it: 92000 is 9.20."""
    return "no cuDNN" if version is None else f"cuDNN {version // 10_000}.{version // 100 % 100}"


def check_free(facts: GpuFacts) -> list[Check]:
    """Judge what other processes leave of each GPU."""
    taken = [(index, gpu) for index, gpu in enumerate(facts.gpus) if gpu.free < FREE * gpu.memory]
    if not taken:
        least = min(gpu.free for gpu in facts.gpus)
        return [Check(name="gpu memory", level="pass", finding=f"{size(least)} free at least")]
    return [_taken(index, gpu) for index, gpu in taken]


def _taken(index: int, gpu: Gpu) -> Check:
    return Check(
        name="gpu memory",
        level="warn",
        finding=f"GPU {index} has {size(gpu.free)} of {size(gpu.memory)} free",
        fix="`nvidia-smi` shows who has the rest; wait for them, or choose other GPUs by CUDA_VISIBLE_DEVICES",
    )


def check_compiler(facts: GpuFacts) -> Check:
    """Judge whether Triton can compile the loss's kernels at the first step."""
    missing = [] if facts.compiler else ["a C compiler"]
    missing += [] if facts.headers else ["Python's headers (Python.h)"]
    if not missing:
        return Check(name="compiler", level="pass", finding=f"{facts.compiler} and Python's headers, for Triton")
    return Check(
        name="compiler",
        level="fail",
        finding=f"{' and '.join(missing)} missing: Triton cannot compile the loss's kernels at the first step",
        fix="install them (gcc and python3-dev on Debian), or name a compiler in CC",
    )
