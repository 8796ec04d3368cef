"""Device metrics: what TRL measures in a loss stays on the device until it is logged, as Heed's own metrics do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accelerate import Accelerator
from torch import Tensor


class _OnDevice(Tensor):
    """A tensor whose `item()` is itself, detached; whatever is computed from it is one, too."""

    def item(self) -> Any:
        return self.detach().as_subclass(Tensor)


KINDS: dict[str, type[Tensor]] = {"gather": _OnDevice, "reduce": _OnDevice, "gather_for_metrics": Tensor}
"""What the accelerator's methods return; the last one calls the first."""


@contextmanager
def metrics_on_device(accelerator: Accelerator) -> Iterator[None]:
    """Spare the block a wait for the device for each metric.

    TRL sums or gathers a metric over the ranks, and appends its `item()` to those that are logged at the end of the
    step. In the block that is a tensor; `rl.tracking.metrics.fetch_metrics` brings all of them to the host together.
    What TRL gathers by `gather_for_metrics`, it also counts with: that stays as it is.
    """
    methods: dict[str, Any] = {name: getattr(accelerator, name) for name in KINDS}

    def returning(kind: type[Tensor], method: Any) -> Any:
        return lambda *args, **kwargs: method(*args, **kwargs).as_subclass(kind)

    vars(accelerator).update({name: returning(KINDS[name], method) for name, method in methods.items()})
    try:
        yield
    finally:
        for name in KINDS:
            delattr(accelerator, name)
