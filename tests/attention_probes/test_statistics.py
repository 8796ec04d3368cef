"""Statistics: right for any shape, mask and cap; their memory grows with the text's length, not with its square."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import attention_probes.layer
from attention_probes import rhythm
from attention_probes.layer import CPU_BLOCK, LayerAttention
from attention_probes.statistics import band_sums, boundary_masses, head_statistics, rhythm_sums, span_mass
from tests import reference

LENGTH, HEADS = 1024, 2


class LargestTensor(TorchDispatchMode):
    """Remembers how many elements the largest tensor had that any operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.num_elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.num_elements = max(self.num_elements, result.untyped_storage().nbytes() // result.element_size())
        return result


def long_layer() -> LayerAttention:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(1, HEADS, LENGTH, 4, generator=generator)
    return LayerAttention(query=query, key=query[:, :1], mask=None, scale=0.5)


POOLS = torch.full((1, HEADS), 1 / HEADS)


@pytest.mark.parametrize(
    ("reduce", "columns"),
    [
        (lambda layer: rhythm_sums(layer.with_lse(), POOLS, window=10, horizon=(10, 100)), LENGTH),
        (lambda layer: head_statistics(layer), LENGTH),
        (lambda layer: span_mass(layer, POOLS, torch.ones(1, 3, LENGTH, dtype=torch.bool)), LENGTH),
        (lambda layer: boundary_masses(layer, POOLS, window=4), 8 * LENGTH),
    ],
    ids=["rhythm", "heads", "spans", "boundaries"],
)
def test_reductions__make_no_map(reduce, columns):
    with LargestTensor() as largest:
        reduce(long_layer())
    assert largest.num_elements <= HEADS * CPU_BLOCK * columns < HEADS * LENGTH * LENGTH


def test_rhythm_sums__read_a_band_only_where_the_kernel_gave_the_log_sum_exp():
    layer = long_layer().with_lse()
    with LargestTensor() as largest:
        rhythm_sums(layer, POOLS, window=10, horizon=(10, 100))
    assert largest.num_elements <= HEADS * CPU_BLOCK * (CPU_BLOCK + 100)


def test_band_sums__are_weighted_by_distance():
    # Uniform attention, A[t, s] = 1/(t+1), weights 1 and 2 at distances 0 and 1.
    # Rows: 1; (1+2)/2; (1+2)/3. Columns, weights 3 and 4: 3/1 + 4/2; 3/2 + 4/3; 3/3.
    nothing = torch.zeros(1, 1, 3, 2)
    layer = LayerAttention(query=nothing, key=nothing, mask=None, scale=1.0)
    rows, columns = band_sums(layer, torch.ones(1, 1), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    assert rows.flatten().tolist() == pytest.approx([1.0, 1.5, 1.0])
    assert columns.flatten().tolist() == pytest.approx([5.0, 1.5 + 4 / 3, 1.0])


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A layer, and its maps as plain attention makes them: maps[row][head]."""

    layer: LayerAttention
    maps: list[list[reference.Map]]
    real: list[list[bool]]


@st.composite
def drawn_layers(draw: st.DrawFn) -> Drawn:
    """Any number of heads and groups, padding on both sides, a window, a cap, either kind of mask, half precision."""
    length, num_keys, groups, size = (draw(st.integers(1, most)) for most in (24, 2, 3, 4))
    real = []
    for _ in range(draw(st.integers(1, 2))):
        left = draw(st.integers(0, length - 1))
        right = draw(st.integers(0, length - 1 - left))
        real.append([left <= token < length - right for token in range(length)])
    window = draw(st.sampled_from([None, 1, 5]))
    visible = [
        [[s <= t and (window is None or t - s < window) and row[s] for s in range(length)] for t in range(length)]
        for row in real
    ]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    dtype = draw(st.sampled_from([torch.float32, torch.bfloat16]))
    query = (3 * torch.randn(len(real), num_keys * groups, length, size, generator=generator)).to(dtype)
    key = torch.randn(len(real), num_keys, length, size, generator=generator).to(dtype)
    softcap, kind = draw(st.sampled_from([None, 2.0])), draw(st.sampled_from(["bool", "additive", "none"]))
    mask = torch.tensor(visible)[:, None]
    if kind == "additive":
        mask = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    plain_causal = window is None and all(map(all, real))
    layer = LayerAttention(
        query=query, key=key, mask=None if kind == "none" and plain_causal else mask, scale=0.7, softcap=softcap
    )
    maps = [
        [
            reference.attention(query[row, head].tolist(), key[row, head // groups].tolist(), seen, 0.7, softcap)
            for head in range(num_keys * groups)
        ]
        for row, seen in enumerate(visible)
    ]
    return Drawn(layer=layer, maps=maps, real=real)


@given(drawn_layers(), st.integers(1, 12), st.integers(0, 4), st.integers(0, 12), st.booleans(), st.integers(1, 6))
@settings(max_examples=40)
def test_reductions__equal_plain_attention(drawn, window, nearest, more, kernel_gave_lse, boundary):
    horizon = (nearest, nearest + more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention_probes.layer, "CPU_BLOCK", 7)
        layer = drawn.layer.with_lse() if kernel_gave_lse else drawn.layer
        pools = torch.rand(2, layer.num_heads, generator=torch.Generator().manual_seed(layer.length)) + 0.1
        pools /= pools.sum(dim=1, keepdim=True)
        nearness, future_mass = rhythm_sums(layer, pools, window=window, horizon=horizon)
        statistics = head_statistics(layer)
        masses = boundary_masses(layer, pools, window=boundary)
        span = torch.arange(layer.length) % 3 == 0
        on_span = span_mass(layer, pools, span.expand(layer.batch, 1, -1))
    waad = rhythm.waad(nearness, layer.real()[:, None], window=window)
    fai = rhythm.fai(future_mass, layer.real()[:, None], horizon=horizon)
    assert layer.real().tolist() == drawn.real
    tolerance = {"atol": 1e-5 * max(layer.length, window), "rtol": 0}
    for row, real in enumerate(drawn.real):
        for pool in range(2):
            pooled = torch.einsum("h,hts->ts", pools[pool], torch.tensor(drawn.maps[row]))
            pooled_map = (pooled * torch.tensor(real)[:, None]).tolist()
            before, after = reference.boundary_masses(pooled_map, real, boundary)
            wanted = {
                "waad": (waad, reference.waad(pooled_map, real, window)),
                "fai": (fai, reference.fai(pooled_map, real, horizon)),
                "before": (masses[0], before),
                "after": (masses[1], after),
                "span": (on_span[..., 0], (torch.tensor(pooled_map) @ span.float()).tolist()),
            }
            for name, (got, values) in wanted.items():
                torch.testing.assert_close(got[row, pool], torch.tensor(values).float(), msg=name, **tolerance)
        for head, one_map in enumerate(drawn.maps[row]):
            for name, values in reference.row_statistics(one_map, real).items():
                got = getattr(statistics, name)[row, head]
                torch.testing.assert_close(got, torch.tensor(values).float(), msg=name, **tolerance)


def test_with_lse__uses_the_kernels_log_sum_exp():
    # One nat more divides every weight by e: of two equal keys each gets 1/2, which becomes 1/(2e).
    nothing = torch.zeros(1, 1, 2, 1)
    layer = LayerAttention(query=nothing, key=nothing, mask=None, scale=1.0).with_lse()
    assert layer.lse is not None
    shifted = replace(layer, lse=layer.lse + 1.0)
    assert head_statistics(shifted).first_mass[0, 0, 1].item() == pytest.approx(0.5 / 2.718281828, rel=1e-5)
