"""Statistics: their memory grows with the text's length, not with its square."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from attention_probes.layer import CPU_BLOCK, LayerAttention
from attention_probes.statistics import band_sums, boundary_masses, head_statistics, rhythm_sums, span_mass

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
def test_no_reduction_makes_a_map(reduce, columns):
    with LargestTensor() as largest:
        reduce(long_layer())
    assert largest.num_elements <= HEADS * CPU_BLOCK * columns < HEADS * LENGTH * LENGTH


def test_the_rhythm_reads_a_band_only_where_the_kernel_gave_the_log_sum_exp():
    layer = long_layer().with_lse()
    with LargestTensor() as largest:
        rhythm_sums(layer, POOLS, window=10, horizon=(10, 100))
    assert largest.num_elements <= HEADS * CPU_BLOCK * (CPU_BLOCK + 100)


def test_a_band_is_weighted_by_distance():
    # Uniform attention, A[t, s] = 1/(t+1), weights 1 and 2 at distances 0 and 1.
    # Rows: 1; (1+2)/2; (1+2)/3. Columns, weights 3 and 4: 3/1 + 4/2; 3/2 + 4/3; 3/3.
    nothing = torch.zeros(1, 1, 3, 2)
    layer = LayerAttention(query=nothing, key=nothing, mask=None, scale=1.0)
    rows, columns = band_sums(layer, torch.ones(1, 1), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    assert rows.flatten().tolist() == pytest.approx([1.0, 1.5, 1.0])
    assert columns.flatten().tolist() == pytest.approx([5.0, 1.5 + 4 / 3, 1.0])
