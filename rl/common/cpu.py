"""CPU: the units that Linux says it has, and whether bfloat16 is faster on them than float32; found without torch."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def cpu_words(cpuinfo: Path = CPUINFO) -> set[str]:
    """Return the words with which Linux describes the CPU, its maker and the flags of its units among them."""
    return set(cpuinfo.read_text().split()) if cpuinfo.is_file() else set()


def gains_by_bf16(words: set[str] | frozenset[str]) -> bool:
    """Return whether a CPU with these words multiplies matrices faster in bfloat16 than in float32.

    AMX does, and AVX512-BF16 on AMD. Where a hypervisor hides an Intel CPU's AMX but not its AVX512-BF16, a core did 85
    GFLOP/s in bfloat16 and 155 in float32 (launch/bench/RESULTS.md).
    """
    return "amx_bf16" in words or {"avx512_bf16", "AuthenticAMD"} <= words
