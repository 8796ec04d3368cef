"""Synchronizations: the places where a program would wait for a GPU, counted while it runs on a CPU."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
READS = {aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default, aten.equal.default}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}
COPIES = ("tolist", "cpu", "numpy")
NOT_OURS = ("torch", "jaxtyping", "beartype")


class _Reads(TorchDispatchMode):
    """Counts the operators whose result, or the shape of it, the host must know; `.item()` and `if tensor` are some."""

    def __init__(self, counted: Counter[str]):
        super().__init__()
        self.counted = counted

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        by_mask = func in INDEXING and any(index is not None and index.dtype == torch.bool for index in args[1])
        if func in READS or by_mask:
            self.counted[_caller()] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def synchronizations() -> Iterator[Counter[str]]:
    """Count the block's synchronizations by the place, as `file:line`, that caused them."""
    counted: Counter[str] = Counter()
    originals = {name: getattr(Tensor, name) for name in COPIES}

    def counting(name: str) -> Any:
        def call(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            counted[_caller()] += 1
            return originals[name](tensor, *args, **kwargs)

        return call

    for name in COPIES:
        setattr(Tensor, name, counting(name))
    try:
        with _Reads(counted):
            yield counted
    finally:
        for name, original in originals.items():
            setattr(Tensor, name, original)


def _caller() -> str:
    """Return the innermost place outside of torch and this file."""
    frame = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path != Path(__file__) and not set(NOT_OURS) & set(path.parts) and not path.name.startswith("<"):
            return f"{_shown(path)}:{frame.f_lineno}"
        frame = frame.f_back
    return "unknown"


def _shown(path: Path) -> Path:
    """Return the path from the root of the project, or from the folder of installed packages."""
    root = Path(__file__).parents[2]
    start = next((folder for folder in path.parents if folder.name == "site-packages"), root)
    return path.relative_to(start) if path.is_relative_to(start) else path
