"""Blocks of a layer's attention on a GPU: their size, their device and the type that their logits are computed in."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from attention_probes import layer
from attention_probes.layer import GPU_BLOCK, LayerAttention
from attention_probes.plan import ProbePlan
from attention_probes.recorder import AttentionRecorder

EVERYTHING = ProbePlan(layers=(0,), window=10, horizon=(10, 100), per_head=True, boundary_window=3)


class CalledOperators(TorchDispatchMode):
    """Remembers the matrix products that were called, with the type of their first input."""

    def __init__(self) -> None:
        super().__init__()
        self.products: set[tuple[str, torch.dtype]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "bmm" in str(func):
            self.products.add((str(func), args[0].dtype))
        return func(*args, **(kwargs or {}))


def make_layer(*shape: int, device: str = "meta", dtype: torch.dtype = torch.bfloat16, lse: bool = True):
    """Return a layer of shape (B, H, S, D) with half as many key heads and no mask."""
    query = torch.empty(shape, device=device, dtype=dtype)
    row_lse = torch.empty(shape[:3], device=device) if lse else None
    return LayerAttention(query=query, key=query[:, : shape[1] // 2], mask=None, scale=0.25, lse=row_lse)


@pytest.mark.parametrize(
    ("shape", "reach", "rows"),
    [
        # 8 rows x 32 heads x 8,192 keys x 4 bytes are 2^23 bytes a row of the block; 2^28 hold 2^5 of them
        ((8, 32, 8192, 2), None, 32),
        # 1 x 16 x 1,024 x 4 = 2^16 bytes: room for 2^12 rows, more than a block has
        ((1, 16, 1024, 2), None, GPU_BLOCK),
        # a band of 101 keys: 256 x (256 + 101) x 8 x 32 x 4 bytes are 94 MB, 512 x (512 + 101) x ... are 321 MB
        ((8, 32, 8192, 2), 101, 256),
        # one row alone is larger than a block should be: 64 x 64 x 32,768 x 4 = 2^29 bytes
        ((64, 64, 32768, 2), None, 1),
    ],
)
def test_blocks__of_a_gpu_are_sized_by_bytes(shape, reach, rows):
    first = next(make_layer(*shape).blocks(reach))
    assert first.rows == slice(0, rows)


@pytest.mark.parametrize("lse", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_record__reduces_tensors_of_one_device(lse, masked):
    # A meta tensor refuses to be mixed with a CPU tensor, as a CUDA tensor does.
    probed = make_layer(2, 4, 40, 8, lse=lse)
    if masked:
        mask = torch.empty(2, 1, 40, 40, dtype=torch.bool, device="meta")
        probed = layer.replace(probed, mask=mask)
    recorder = AttentionRecorder(EVERYTHING, (0,), torch.empty(2, 3, 40, dtype=torch.bool, device="meta"))
    recorder.record(0, probed)
    readings = recorder.read()
    assert readings.fai.device.type == readings.waad.device.type == "meta"
    assert readings.heads is not None and readings.heads.top_key.device.type == "meta"
    assert readings.span_mass is not None and readings.span_mass.shape == (1, 2, 1, 40, 3)


@pytest.mark.parametrize(
    ("device", "dtype", "product"),
    [
        ("meta", torch.bfloat16, ("aten.bmm.dtype", torch.bfloat16)),
        ("meta", torch.float16, ("aten.bmm.dtype", torch.float16)),
        ("meta", torch.float32, ("aten.bmm.default", torch.float32)),
        ("cpu", torch.bfloat16, ("aten.bmm.default", torch.float32)),
    ],
)
def test_blocks__sum_in_float32_what_a_gpu_multiplies_in_half_precision(device, dtype, product):
    with CalledOperators() as called:
        for block in make_layer(2, 4, 40, 8, device=device, dtype=dtype).blocks():
            assert block.raw.dtype == torch.float32 and block.raw.device.type == device
            assert block.raw.shape == (2, 4, block.rows.stop - block.rows.start, block.columns.stop)
    assert called.products == {product}


def test_half_products__are_those_of_each_query_with_each_key_of_its_group(monkeypatch):
    # CUDA's operator, in float64 on the CPU: bfloat16 products are exact in it, and sums of eight of them too.
    def exact(left, right, *, out_dtype):
        return (left.double() @ right.double()).to(out_dtype)

    monkeypatch.setattr(torch, "bmm", exact)
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 2, 6, 8, generator=generator).bfloat16()
    key = torch.randn(2, 2, 3, 8, generator=generator).bfloat16()
    expected = torch.einsum("bkqd,bkcd->bkqc", query.float(), key.float())
    torch.testing.assert_close(layer._half_products(query, key), expected)
