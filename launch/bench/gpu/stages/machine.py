"""Stage: the card, its driver and capability, and the versions that everything else was measured with."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch.cuda import nccl

from launch.bench.gpu.stage import Row, Setup
from launch.plan.nvidia import nvidia_gpus
from rl.runs.folder import environment

OF_A_RUN = ("seed", "command")


def measure(setup: Setup) -> Iterator[Row]:
    """Yield a row for each GPU, and one for the software."""
    if setup.on_gpu:
        yield from ({**asdict(gpu), "title": gpu.title} for gpu in nvidia_gpus())
        yield from map(torch_properties, range(torch.cuda.device_count()))
    yield {
        **{name: value for name, value in environment(seed=0).items() if name not in OF_A_RUN},
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "nccl": ".".join(map(str, nccl.version())) if setup.on_gpu else None,
        "architectures": torch.cuda.get_arch_list(),
    }


def torch_properties(index: int) -> dict[str, Any]:
    """Return what torch knows of a GPU."""
    properties = torch.cuda.get_device_properties(index)
    return {
        "index": index,
        "name": properties.name,
        "capability": f"sm_{properties.major}{properties.minor}",
        "memory": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "bfloat16": torch.cuda.is_bf16_supported(including_emulation=False),
    }
