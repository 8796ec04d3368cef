"""Divergence: all ranks stop before a loss, a gradient or a weight that is not finite is used, published or saved."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from transformers import TrainerCallback, TrainerControl, TrainerState

from rl.common.distributed import max_over_ranks
from rl.common.errors import RunFailure
from rl.models.finite import not_finite

MicroBatch = Mapping[str, Any]
ADVICE = (
    "the training has diverged, and with the same settings it will again; start a new run with a lower "
    "trainer.learning_rate or trainer.max_grad_norm, from the last checkpoint with lora.start=RUN/checkpoint-N"
)


class DivergenceGuard(TrainerCallback):
    """Checks every optimizer step. All ranks check together, and RunFailure is raised on all or on none."""

    def __init__(self, problem_ids: Callable[[MicroBatch], Sequence[str]]):
        """`problem_ids` names the problems of a micro-batch."""
        self.problem_ids = problem_ids
        self._trained: list[tuple[Tensor, MicroBatch]] = []

    def add(self, loss: Tensor, batch: MicroBatch) -> None:
        """Remember the loss of a micro-batch until its optimizer step is checked."""
        self._trained.append((loss.detach(), batch))

    def check_gradient(self, norm: Tensor | float | None, *, step: int) -> None:
        """Check optimizer step `step`, counted from 1, before it changes any weight.

        `norm` is the norm of the gradient; None where the backend does not tell. Raises RunFailure.
        """
        trained, self._trained = self._trained, []
        # One look at the device, however many micro-batches there were.
        numbers = [loss.float() for loss, _ in trained] + ([norm.float()] if isinstance(norm, Tensor) else [])
        values = torch.stack(numbers).tolist() if numbers else []
        losses = values[: len(trained)]
        if not isinstance(norm, Tensor):
            values.append(0.0 if norm is None else norm)
        if not max_over_ranks(int(not all(map(math.isfinite, values)))):
            return
        ids = sorted(set(gather_object([name for _, batch in trained for name in self.problem_ids(batch)])))
        raise RunFailure(
            f"step {step}: the gradient norm is {norm} and the loss {sum(losses)}, on problems {', '.join(ids)}: "
            + ADVICE
        )

    def on_optimizer_step(
        self, args: Any, state: TrainerState, control: TrainerControl, model: nn.Module | None = None, **_: Any
    ) -> None:
        assert model is not None
        check_weights(model, step=state.global_step + 1)

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, model: nn.Module | None = None, **_: Any
    ) -> None:
        assert model is not None
        check_weights(model, step=state.global_step)


def check_weights(model: nn.Module, *, step: int) -> None:
    """Check the trained weights after optimizer step `step`. Raises RunFailure, on all ranks or on none."""
    # ZeRO-3 leaves a rank its shard alone.
    named = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    weights = {name: getattr(weight, "ds_tensor", weight).detach() for name, weight in named.items()}
    largest = get_total_norm(list(weights.values()), norm_type=torch.inf)
    if max_over_ranks(int(not largest.isfinite())):
        name = not_finite(weights) or "a weight on another rank"
        raise RunFailure(f"step {step}: {name} is not finite after the optimizer's update: {ADVICE}")
