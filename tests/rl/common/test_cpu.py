"""bfloat16 pays on a CPU with AMX, and on AMD's with AVX512-BF16; Intel's AVX512-BF16 alone is slower than float32."""

from pathlib import Path

import pytest
import torch

from rl.common.cpu import CPUINFO, cpu_words, gains_by_bf16

INTEL, AMD = "vendor_id : GenuineIntel\n", "vendor_id : AuthenticAMD\n"


@pytest.mark.parametrize(
    ("cpuinfo", "gains"),
    [
        (INTEL + "flags : avx512f avx512_bf16 amx_bf16\n", True),
        (INTEL + "flags : avx512f avx512_bf16\n", False),
        (AMD + "flags : avx512f avx512_bf16\n", True),
        (AMD + "flags : avx2\n", False),
        ("", False),
    ],
)
def test_gains_by_bf16__asks_for_the_maker_too(cpuinfo, gains, tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(cpuinfo)
    assert gains_by_bf16(cpu_words(file)) is gains


def test_words__of_a_system_without_the_file_are_none():
    assert cpu_words(Path("/nowhere/cpuinfo")) == set()


@pytest.mark.skipif(not CPUINFO.is_file(), reason="reads /proc")
def test_words__agree_with_torch():
    found = torch.cpu.get_capabilities()
    words = cpu_words()
    assert {name: name in words for name in ("avx2", "amx_bf16")} == {
        name: found.get(name, False) for name in ("avx2", "amx_bf16")
    }
