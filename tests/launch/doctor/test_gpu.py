"""The doctor's checks of GPUs and CPUs: each judges facts, which are made up here for machines that are not."""

from dataclasses import replace

import pytest
import torch

from launch.doctor.cpu import check_cpu
from launch.doctor.facts import CpuFacts, GpuFacts, gather_cpu_facts, gather_gpu_facts
from launch.doctor.gpu import (
    check_attention,
    check_capability,
    check_compiler,
    check_devices,
    check_driver,
    check_free,
)
from launch.plan.nvidia import Gpu

A100 = Gpu(name="NVIDIA A100-SXM4-80GB", memory=80 * 2**30, free=79 * 2**30, driver="580.65.06", capability=(8, 0))
H100 = replace(A100, name="NVIDIA H100 80GB HBM3", capability=(9, 0))
T4 = replace(A100, name="Tesla T4", memory=15 * 2**30, free=15 * 2**30, capability=(7, 5))
V100 = replace(A100, name="Tesla V100", capability=(7, 0))
CPU = CpuFacts(cores=8, flags=frozenset({"avx2", "avx512f"}), used="AVX512")


def facts(*gpus: Gpu, **changes) -> GpuFacts:
    """A machine that is fit, with the wheel of torch 2.13 for CUDA 13."""
    fit = GpuFacts(
        gpus=gpus or (A100,),
        hidden=0,
        torch="2.13.0+cu130",
        cuda="13.0",
        available=True,
        architectures=("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"),
        cudnn=92_000,
        kernels=("flash", "efficient", "math"),
        compiler="/usr/bin/gcc",
        headers=True,
    )
    return replace(fit, **changes)


def levels(checks) -> dict[str, str]:
    return {check.name: check.level for check in checks}


def test_check_devices__a_fit_machine_passes():
    found = levels(check_devices(facts(A100, A100), CPU))
    names = ["devices", "driver", "capability", "attention", "gpu memory", "compiler"]
    assert found == dict.fromkeys(names, "pass")


def test_check_devices__without_gpus_it_is_about_the_cpu():
    device, cpu = check_devices(replace(facts(), gpus=(), hidden=2), CPU)
    assert device.finding == "no GPU, 2 hidden by CUDA_VISIBLE_DEVICES: runs use the CPU"
    assert cpu.name == "cpu"


def test_check_devices__an_unusable_gpu_is_said_with_the_cpu_that_would_be_used():
    assert levels(check_devices(facts(cuda=None, available=False), CPU)) == {
        "devices": "pass",
        "driver": "fail",
        "cpu": "pass",
    }


@pytest.mark.parametrize(
    ("driver", "cuda", "available", "says"),
    [
        ("580.65.06", None, False, "torch 2.13.0+cu130 is built for CPUs"),
        ("535.104.05", "13.0", False, "535.104.05 is too old for torch 2.13.0+cu130: CUDA 13.0 needs 580 or later"),
        ("470.82", "12.8", False, "CUDA 12.8 needs 525 or later"),
        ("580.65.06", "13.0", False, "580.65.06 suffices for CUDA 13.0, but torch cannot use a GPU"),
    ],
)
def test_check_driver__says_why_runs_would_use_the_cpu(driver, cuda, available, says):
    check = check_driver(facts(replace(A100, driver=driver), cuda=cuda, available=available))
    assert check.level == "fail" and says in check.finding


def test_check_driver__of_an_older_cuda_may_be_older():
    assert check_driver(facts(replace(A100, driver="535.104.05"), cuda="12.8")).level == "pass"


@pytest.mark.parametrize(
    ("gpu", "level", "says"),
    [
        (A100, "pass", "NVIDIA A100-SXM4-80GB (sm_80) multiplies bfloat16"),
        (replace(A100, capability=(8, 9)), "pass", "sm_89"),  # by the kernels for sm_86, of the same generation
        (replace(A100, capability=(12, 1)), "pass", "sm_121"),
        (T4, "warn", "Tesla T4 (sm_75) multiplies no bfloat16: model.dtype=auto takes float32, twice the memory"),
        (V100, "fail", "Tesla V100 (sm_70): torch 2.13.0+cu130 has kernels for sm_75, sm_80"),
    ],
)
def test_check_capability__by_torchs_kernels_and_bfloat16(gpu, level, says):
    (check,) = check_capability(facts(gpu))
    assert check.level == level and says in check.finding


def test_check_capability__each_kind_of_gpu_once():
    assert [check.level for check in check_capability(facts(A100, T4, A100))] == ["pass", "warn"]


@pytest.mark.parametrize(
    ("capability", "architectures", "fits"),
    [
        ((9, 0), ("sm_90a",), True),
        ((10, 3), ("sm_100a",), False),  # code for one architecture alone
        ((10, 3), ("sm_100",), True),
        ((11, 0), ("sm_100",), False),
        ((11, 0), ("sm_100", "compute_100"), True),  # the driver compiles it
    ],
)
def test_check_capability__what_a_build_covers(capability, architectures, fits):
    (check,) = check_capability(facts(replace(A100, capability=capability), architectures=architectures))
    assert (check.level == "pass") == fits


def test_check_attention__cudnns_is_not_trusted_on_hopper():
    cudnn = ("flash", "efficient", "cudnn", "math")
    check = check_attention(facts(H100, kernels=cudnn))
    assert check.level == "warn" and check.finding.startswith("torch prefers cuDNN 9.20 on NVIDIA H100")
    assert check_attention(facts(A100, kernels=cudnn)).finding == "flash, efficient, math; cuDNN 9.20 computes none"
    assert check_attention(facts(H100)).level == "pass"
    assert check_attention(facts(T4)).finding == "efficient, math; cuDNN 9.20 computes none", "flash needs Ampere"


def test_gather_gpu_facts__kernels_are_those_that_runs_leave():
    torch.backends.cuda.enable_cudnn_sdp(True)  # torch's own choice
    kernels = gather_gpu_facts().kernels
    assert "cudnn" not in kernels and {"flash", "efficient", "math"} <= set(kernels)
    assert check_attention(facts(H100, kernels=kernels)).level == "pass"


def test_check_free__names_the_gpu_that_others_use():
    assert check_free(facts(A100, T4))[0].finding == "16.11 GB free at least"
    (check,) = check_free(facts(A100, replace(A100, free=40 * 2**30)))
    assert (check.level, check.finding) == ("warn", "GPU 1 has 42.95 GB of 85.90 GB free")


@pytest.mark.parametrize(
    ("compiler", "headers", "says"),
    [
        (None, True, "a C compiler missing"),
        ("/usr/bin/gcc", False, "Python's headers (Python.h) missing"),
        (None, False, "a C compiler and Python's headers (Python.h) missing"),
    ],
)
def test_check_compiler__triton_needs_both(compiler, headers, says):
    check = check_compiler(facts(compiler=compiler, headers=headers))
    assert check.level == "fail" and check.finding.startswith(says)


@pytest.mark.parametrize(
    ("flags", "used", "level", "says"),
    [
        ({"avx2", "avx512f", "avx512_bf16", "amx_bf16"}, "AVX512", "pass", "AMX multiplies bfloat16"),
        ({"avx2", "avx512f", "avx512_bf16", "AuthenticAMD"}, "AVX512", "pass", "AVX512-BF16 multiplies bfloat16"),
        (
            {"avx2", "avx512f", "avx512_bf16"},
            "AVX512",
            "pass",
            "auto takes float32, which is faster",
        ),
        ({"avx2", "avx512f"}, "AVX512", "pass", "AVX512, without bfloat16: model.dtype=auto takes float32"),
        ({"avx2", "avx512f"}, "AVX2", "warn", "torch uses AVX2 only"),
        ({"avx2"}, "AVX2", "pass", "AVX2, half as wide as AVX512"),
        ({"asimd"}, "DEFAULT", "pass", "NEON"),
        (set(), "DEFAULT", "warn", "no AVX2"),
    ],
)
def test_check_cpu__says_what_its_units_mean_for_speed(flags, used, level, says):
    check = check_cpu(CpuFacts(cores=8, flags=frozenset(flags), used=used))
    assert check.level == level and check.finding.startswith("8 cores; ") and says in check.finding


def test_gather_facts__of_this_machine_can_be_judged(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags : fpu avx2 avx512f amx_bf16 sse\n")
    assert gather_cpu_facts(cpuinfo).flags == {"avx2", "avx512f", "amx_bf16"}
    assert levels(check_devices(gather_gpu_facts(), gather_cpu_facts()))["devices"] == "pass"


def test_gather_gpu_facts__count_what_is_hidden(monkeypatch):
    from launch.plan import nvidia

    monkeypatch.setattr(nvidia, "_query", lambda fields: "0, GPU-aa11, Tesla T4, 15360, 15000, 580.65.06, 7.5\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("CC", "no-such-compiler")
    gathered = gather_gpu_facts()
    assert (gathered.gpus, gathered.hidden, gathered.compiler) == ((), 1, None)
