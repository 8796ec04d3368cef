"""The arithmetic limit of a learner's step: the products that it cannot do without, at the rate of this machine's."""

from typing import Any

import torch

from launch.bench.stopwatch import seconds_of

SIZE = 1024
"""Rows and columns of the matrices that the rate is measured with: products of such sizes run near the highest rate."""


def multiply_rate(dtype: torch.dtype, device: torch.device, *, rounds: int = 8) -> float:
    """Return the floating-point operations a second of matrix products with the threads that torch has now."""
    left, right = (torch.randn(SIZE, SIZE, dtype=dtype, device=device) for _ in range(2))

    def multiply() -> None:
        for _ in range(rounds):
            torch.mm(left, right)

    multiply()  # the first product chooses its kernel
    return 2 * SIZE**3 * rounds / min(seconds_of(multiply) for _ in range(3))


def fewest_operations(model: Any, *, prompt: int, completions: int, length: float) -> float:
    """Return the operations of a forward and backward pass that reads each different token once.

    Every weight of a decoder layer multiplies each token, the head only a completion's; `model` is a transformers
    model whose weights are frozen, so that the backward pass computes gradients of activations alone, as many products
    again. Those of attention and of the adapters are left out, since they are few at such lengths.
    """
    config = model.config.get_text_config()
    layers = sum(weight.numel() for weight in model.get_decoder().layers.parameters() if weight.dim() == 2)
    head, answers = config.vocab_size * config.hidden_size, completions * length
    return 2 * 2 * (layers * (prompt + answers) + head * answers)
