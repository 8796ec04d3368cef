"""Eval mode for a block of code: dropout is off, and afterwards the model is as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Switch dropout off in the block."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
