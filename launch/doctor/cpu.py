"""Check of the CPU: which vector units it has, and what that means for speed."""

from launch.doctor.check import Check
from launch.doctor.facts import CpuFacts
from rl.common.cpu import gains_by_bf16


def check_cpu(facts: CpuFacts) -> Check:
    """Judge the CPU's vector units, and whether torch uses the widest."""
    finding = f"{facts.cores} cores; {_speed(facts.flags)}"
    if not facts.flags:
        return Check(
            name="cpu",
            level="warn",
            finding=finding,
            fix="train on a CPU with AVX2 at least; in a virtual machine, hand the host's CPU through",
        )
    if "avx512f" in facts.flags and facts.used != "AVX512":
        return Check(
            name="cpu",
            level="warn",
            finding=f"{finding}; torch uses {facts.used} only",
            fix="unset ATEN_CPU_CAPABILITY, or install a torch built with AVX512",
        )
    return Check(name="cpu", level="pass", finding=finding)


def _speed(flags: frozenset[str]) -> str:
    if "amx_bf16" in flags:
        return "AMX multiplies bfloat16 in tiles: model.dtype=auto takes it, the fastest that a CPU can"
    if gains_by_bf16(flags):
        return "AVX512-BF16 multiplies bfloat16: model.dtype=auto takes it, with half of float32's memory traffic"
    if "avx512_bf16" in flags:
        return "AVX512-BF16 without AMX: model.dtype=auto takes float32, which is faster on such an Intel CPU"
    emulated = "model.dtype=auto takes float32, as emulated bfloat16 is several times slower"
    if "avx512f" in flags:
        return f"AVX512, without bfloat16: {emulated}"
    if "avx2" in flags:
        return f"AVX2, half as wide as AVX512, without bfloat16: {emulated}"
    if "asimd" in flags:
        return f"NEON, a quarter as wide as AVX512: {emulated}"
    return "no AVX2: torch falls back to its slowest kernels, and training takes many times longer"
