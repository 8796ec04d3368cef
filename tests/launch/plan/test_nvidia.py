"""NVIDIA GPUs: what is read from the driver's lines, and which of them a process may use."""

import pytest

from launch.plan import device, nvidia
from launch.plan.device import find_device
from launch.plan.nvidia import Gpu, parse_gpus

LINES = """\
0, GPU-aa11, NVIDIA H100 80GB HBM3, 81559, 80000, 580.65.06, 9.0
1, GPU-bb22, Tesla T4, 15360, 15000, 580.65.06, 7.5
"""


def test_parse_gpus__reads_every_field():
    assert parse_gpus(LINES, {}) == [
        Gpu(
            name="NVIDIA H100 80GB HBM3",
            memory=81_559 * 2**20,
            free=80_000 * 2**20,
            driver="580.65.06",
            capability=(9, 0),
        ),
        Gpu(name="Tesla T4", memory=15_360 * 2**20, free=15_000 * 2**20, driver="580.65.06", capability=(7, 5)),
    ]
    assert [(gpu.has_bf16, gpu.title) for gpu in parse_gpus(LINES, {})] == [
        (True, "NVIDIA H100 80GB HBM3 (sm_90)"),
        (False, "Tesla T4 (sm_75)"),
    ]


def test_parse_gpus__of_an_old_driver_that_tells_no_capability():
    (gpu,) = parse_gpus("0, GPU-cc33, Tesla P4, 7611, 7000, 450.51\n", {})
    assert (gpu.capability, gpu.has_bf16, gpu.title) == (None, False, "Tesla P4")


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1", ["Tesla T4"]),
        ("1,0", ["Tesla T4", "NVIDIA H100 80GB HBM3"]),
        ("GPU-bb", ["Tesla T4"]),
        ("", []),
        ("-1", []),
        ("0,7,1", ["NVIDIA H100 80GB HBM3"]),  # CUDA stops at the first that it does not know
    ],
)
def test_parse_gpus__are_those_that_can_be_seen(visible, names):
    assert [gpu.name for gpu in parse_gpus(LINES, {"CUDA_VISIBLE_DEVICES": visible})] == names


def test_find_device__is_the_first_gpu_and_its_machine(monkeypatch):
    monkeypatch.setattr(nvidia, "_query", lambda fields: LINES)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    found = find_device()
    assert (found.name, found.memory, found.is_gpu, found.has_bf16) == ("Tesla T4 (sm_75)", 15_360 * 2**20, True, False)
    assert found.host_memory == device.machine_memory()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find_device().name == "CPU"
