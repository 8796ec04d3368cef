"""Workload: what the memory of a run depends on besides its settings."""

from dataclasses import dataclass

from launch.plan.device import Device
from launch.plan.shape import Shape

WIDTH = {"float32": 4, "bfloat16": 2}
"""Bytes of one number."""
ALLOCATOR_GAPS = 0.1
"""Share that torch's CUDA allocator takes beyond the tensors that come and go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """The model's shape and number format, its prompts, and the device it is to run on."""

    shape: Shape
    dtype: str
    """`float32` or `bfloat16`."""
    longest_prompt: int
    device: Device

    @property
    def on_gpu(self) -> bool:
        return self.device.is_gpu

    @property
    def width(self) -> int:
        """Bytes of one number of the base model."""
        return WIDTH[self.dtype]

    @property
    def weights(self) -> int:
        """Bytes of the base model."""
        return self.width * self.shape.num_parameters

    def with_gaps(self, parts: dict[str, int]) -> dict[str, int]:
        """Return the parts that come and go with the gaps that a GPU's allocator leaves between them."""
        return parts | {"gaps": round(ALLOCATOR_GAPS * sum(parts.values()))} if self.on_gpu else parts
