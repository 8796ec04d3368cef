"""Log-sum-exp of CUDA's attention kernels, in the shapes that torch registers for them on the meta device."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attention_probes.capture_lse import call_with_lse, lse_of_rows

aten = torch.ops.aten


def flash(query: Tensor) -> Any:
    return aten._scaled_dot_product_flash_attention(query, query, query, 0.0, True)


def efficient(query: Tensor) -> Any:
    """Call the kernel as torch does where no gradient is needed: without a log-sum-exp."""
    return aten._scaled_dot_product_efficient_attention(query, query, query, None, False, 0.0, True)


def cudnn(query: Tensor) -> Any:
    return aten._scaled_dot_product_cudnn_attention(query, query, query, None, True, 0.0, True)


@pytest.mark.parametrize("kernel", [flash, efficient, cudnn])
@pytest.mark.parametrize("length", [1, 50, 64])
def test_call_with_lse__takes_each_kernels_in_its_shape(kernel, length):
    # of 50 rows the efficient kernel gives 64 values, and cuDNN gives (2, 3, 50, 1)
    query = torch.empty(2, 3, length, 8, dtype=torch.bfloat16, device="meta")
    (output, *_), lse = call_with_lse(lambda module, query: kernel(query), nn.Identity(), query)
    assert output.shape == query.shape
    assert lse is not None and lse.shape == (2, 3, length) and lse.dtype == torch.float32


def test_call_with_lse__is_none_for_attention_without_a_kernel():
    query = torch.empty(2, 3, 50, 8, device="meta")
    _, lse = call_with_lse(lambda module, query: query @ query.transpose(2, 3), nn.Identity(), query)
    assert lse is None


@pytest.mark.parametrize("given", [None, torch.empty(2, 3, 0)])
def test_lse_of_rows__is_none_where_the_kernel_computed_none(given):
    # cuDNN's is undefined then, which Python sees as None; the efficient kernel's is empty
    assert lse_of_rows(given, torch.Size((2, 3, 50))) is None
