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
    quantization: str | None = None
    """`4bit`, or None for linear layers in `dtype`, too."""
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
        return self.full_weights - sum(self.width * size - _four_bit_bytes(size) for size in self._quantized)

    @property
    def full_weights(self) -> int:
        """Bytes of the base model as its files are read, before it is quantized."""
        return self.width * self.shape.num_parameters

    @property
    def packed_weights(self) -> int:
        """Bytes of the second copy of the linear layers with which a CPU decodes; matrices in 4 bits have none."""
        output = self.shape.vocabulary * self.shape.hidden
        return self.width * (output + (0 if self.quantization else sum(self._matrices)))

    def unpacked(self) -> dict[str, int]:
        """Return the largest quantized matrix in `dtype`, as which it is multiplied; nothing without."""
        return {"unpacked weights": self.width * max(self._quantized)} if self._quantized else {}

    @property
    def _quantized(self) -> list[int]:
        """Numbers in each matrix that is kept in 4 bits."""
        return self._matrices if self.quantization else []

    @property
    def _matrices(self) -> list[int]:
        """Numbers in each matrix of the layers."""
        return [inputs * outputs for inputs, outputs in self.shape.linears().values()] * self.shape.layers

    def with_gaps(self, parts: dict[str, int]) -> dict[str, int]:
        """Return the parts that come and go with the gaps that a GPU's allocator leaves between them."""
        return parts | {"gaps": round(ALLOCATOR_GAPS * sum(parts.values()))} if self.on_gpu else parts


def _four_bit_bytes(size: int) -> int:
    """Return the bytes of a matrix in NF4: its numbers, one byte a block of 64, and a float32 for 256 of these.

    The scales of the blocks are quantized a second time, with a code book of 256 numbers and one offset.
    """
    blocks = -(-size // 64)
    return -(-size // 2) + blocks + 4 * -(-blocks // 256) + 4 * 257 + 4 * 16
