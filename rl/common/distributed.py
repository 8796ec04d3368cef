"""Ranks: the processes that train together, how they meet, and what the first one tells the others."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch import nn

from rl.common.errors import UserError

if TYPE_CHECKING:  # the settings stand on this room
    from rl.config.distributed import DistributedConfig

Value = TypeVar("Value")


def check_ranks(distributed: "DistributedConfig", environment: Mapping[str, str]) -> None:
    """Raise UserError unless as many ranks were started as the config asks for."""
    started = int(environment.get("WORLD_SIZE", "1"))
    if distributed.processes != started:
        raise UserError(
            f"distributed.processes={distributed.processes}, but {started} were started (WORLD_SIZE); set processes to "
            f"{started}, or let `heed train` start them itself"
        )


def init_distributed(distributed: "DistributedConfig") -> PartialState:
    """Join the other ranks, NCCL among GPUs and gloo among CPUs; alone there is nobody to join."""
    cpu = not torch.cuda.is_available()
    if distributed.zero and cpu:
        _init_deepspeed()
    return PartialState(cpu=cpu, **({"backend": "gloo"} if cpu and distributed.processes > 1 else {}))


def _init_deepspeed() -> None:
    """accelerate leaves this out on CPUs, and ZeRO-3 would then take every rank for the only one."""
    # Its shared-memory operation is compiled at the first start, and needs a compiler for it.
    importlib.import_module("deepspeed.comm.torch")
    sys.modules["deepspeed.comm.torch"].build_shm_op = lambda: None  # pyright: ignore[reportAttributeAccessIssue]
    import deepspeed

    deepspeed.init_distributed(dist_backend="gloo", verbose=False)


def broadcast_from_main(value: Value) -> Value:
    """The first rank's value, on every rank."""
    [told] = broadcast_object_list([value])
    return told


def is_main_process() -> bool:
    return PartialState().is_main_process


def run_on_main(function: Callable[[], Value]) -> Value:
    """What the function returns on the first rank, on every rank; its mistake is raised there, and ends the others."""
    outcome, error = None, None
    if is_main_process():
        try:
            outcome = function()
        except (OSError, ValueError) as mistake:
            error = mistake
    outcome, failed = broadcast_from_main((outcome, error is not None))
    if error is not None:
        raise error
    if failed:
        raise SystemExit(2)
    return outcome  # pyright: ignore[reportReturnType]


def shutdown_main_last(leave: Callable[[], None]) -> None:
    """Leave what the first rank may host, the others before it. All ranks must come."""
    if not is_main_process():
        leave()
    try:
        PartialState().wait_for_everyone()
    finally:  # a rank that died keeps nobody here
        if is_main_process():
            leave()


def any_rank(number: int) -> int:
    """The largest of the ranks' numbers."""
    state = PartialState()
    if state.num_processes == 1:
        return number
    told = torch.tensor(number, device=state.device)
    torch.distributed.all_reduce(told, op=torch.distributed.ReduceOp.MAX)
    return int(told)


@contextmanager
def gathered_parameters(model: nn.Module) -> Iterator[None]:
    """Within the block trainable tensors are whole on every rank; ZeRO-3 keeps a part on each. All ranks must enter."""
    shared: list[Any] = [weight for weight in model.parameters() if weight.requires_grad and hasattr(weight, "ds_id")]
    if not shared:
        yield
        return
    import deepspeed

    with deepspeed.zero.GatheredParameters(shared):
        yield


def deepspeed_config(distributed: "DistributedConfig") -> dict[str, Any] | None:
    """DeepSpeed's settings of the ZeRO stage; None without one."""
    if not distributed.zero:
        return None
    offload = {"device": "cpu", "pin_memory": torch.cuda.is_available()}
    stage: dict[str, Any] = {"stage": distributed.zero, "overlap_comm": False, "contiguous_gradients": True}
    if distributed.offload:
        stage |= {"offload_optimizer": offload}
        stage |= {"offload_param": offload} if distributed.zero == 3 else {}
    auto = ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "train_batch_size", "gradient_clipping")
    return {
        "zero_optimization": stage,
        **dict.fromkeys(auto, "auto"),
        "bf16": {"enabled": "auto"},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
    }
