"""Ranks: the processes that train together, and what they exchange besides gradients."""

import atexit
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object
from torch import nn

from rl.common.device import check_gpus, local_ranks, visible_gpus
from rl.common.errors import USER_ERRORS, RunFailure, UserError, full_message

if TYPE_CHECKING:  # the settings import this package
    from rl.config.distributed import DistributedConfig

Item = TypeVar("Item")
Value = TypeVar("Value")

RANK_SECONDS = 1800.0
"""Longest wait for another rank's own work: a step, its share of an evaluation, a checkpoint."""


def check_ranks(distributed: "DistributedConfig", environment: Mapping[str, str]) -> None:
    """Raise UserError unless the number of ranks that were started is the one in the config."""
    started = int(environment.get("WORLD_SIZE", "1"))
    if distributed.processes != started:
        raise UserError(
            f"distributed.processes={distributed.processes}, but {started} were started (WORLD_SIZE); set processes to "
            f"{started}, or let `heed train` start them itself"
        )


def init_distributed(distributed: "DistributedConfig", *, longest_wait: float = 0.0) -> PartialState:
    """Join the other ranks, by NCCL on GPUs and gloo on CPUs; does nothing with a single process.

    A rank that waits for another's workers may wait `longest_wait` seconds longer than for the rank itself. Raises
    UserError when this machine has more ranks than GPUs.
    """
    check_gpus(local_ranks(), visible_gpus())
    cpu, timeout = not torch.cuda.is_available(), group_timeout(longest_wait)
    if distributed.zero and cpu:
        _init_deepspeed(timeout)
    alone = distributed.processes == 1
    state = PartialState(cpu=cpu, **({} if alone else {"timeout": timeout, **({"backend": "gloo"} if cpu else {})}))
    if cpu and not alone:
        # Left to the interpreter's end, gloo's threads abort about one process in six, with exit code 134.
        atexit.register(_leave_ranks)
    return state


def _leave_ranks() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def group_timeout(longest_wait: float) -> timedelta:
    """Return the time after which ranks that wait for another are ended; NCCL's own is 10 minutes, gloo's 30."""
    return timedelta(seconds=RANK_SECONDS + longest_wait)


def _init_deepspeed(timeout: timedelta) -> None:
    """Initialise DeepSpeed on CPUs, which accelerate does not: ZeRO-3 would then see a single rank."""
    # DeepSpeed compiles its shared-memory operation at the first start, and not every machine has a compiler.
    importlib.import_module("deepspeed.comm.torch")
    sys.modules["deepspeed.comm.torch"].build_shm_op = lambda: None  # pyright: ignore[reportAttributeAccessIssue]
    import deepspeed

    deepspeed.init_distributed(dist_backend="gloo", timeout=timeout, verbose=False)


def broadcast_from_main(value: Value) -> Value:
    """Return the main process's value on every rank."""
    [received] = broadcast_object_list([value])
    return received


def is_main_process() -> bool:
    """Whether this is the first rank, or the only one."""
    return PartialState().is_main_process


def run_on_main(function: Callable[[], Value]) -> Value:
    """Call the function on the main process alone, and return its result on every rank.

    An error is raised on the main process, which tells the user; the other ranks exit with the code that it will have.
    """
    result, error = None, None
    if is_main_process():
        try:
            result = function()
        except Exception as raised:
            error = raised
    result, code = broadcast_from_main((result, 2 if isinstance(error, USER_ERRORS) else int(error is not None)))
    if error is not None:
        raise error
    if code:
        raise SystemExit(code)
    return result  # pyright: ignore[reportReturnType]


def shutdown_main_last(shutdown: Callable[[], None]) -> None:
    """Shut down on every rank, on the main process last: it may host what the others use. All ranks must call this."""
    if not is_main_process():
        shutdown()
    try:
        PartialState().wait_for_everyone()
    finally:  # also when a rank has died
        if is_main_process():
            shutdown()


def max_over_ranks(number: int) -> int:
    """Return the largest of the ranks' numbers."""
    state = PartialState()
    if state.num_processes == 1:
        return number
    largest = torch.tensor(number, device=state.device)
    torch.distributed.all_reduce(largest, op=torch.distributed.ReduceOp.MAX)
    return int(largest)


@contextmanager
def _failing_together() -> Iterator[None]:
    """Raise an error of the block on its rank, and RunFailure with its message on the others, which would wait."""
    error = None
    try:
        yield
    except Exception as raised:
        error = raised
    if max_over_ranks(int(error is not None)):
        messages = gather_object([error and f"rank {PartialState().process_index}: {full_message(error)}"])
        raise RunFailure(next(filter(None, messages))) if error is None else error


def rank_share(items: Sequence[Item]) -> Sequence[Item]:
    """Return this rank's share of the items, those that `map_over_ranks` computes here, in that order."""
    state = PartialState()
    return items[state.process_index :: state.num_processes]


def map_over_ranks(function: Callable[[Item], Value], items: Sequence[Item]) -> list[Value]:
    """Return the function's value of each item; every rank computes its share of them. All ranks must call it.

    An error is raised on its rank, and ends the others after the item that they compute.
    """
    state = PartialState()
    mine: list[Value] = []
    share = rank_share(items)
    for number in range(-(-len(items) // state.num_processes)):  # the same on every rank, whose share may be shorter
        with _failing_together():
            mine += map(function, share[number : number + 1])
    if state.num_processes == 1:
        return mine
    shares = gather_object([mine])
    return [shares[index % len(shares)][index // len(shares)] for index in range(len(items))]


@contextmanager
def gathered_parameters(model: nn.Module) -> Iterator[None]:
    """Gather the trainable tensors that ZeRO-3 shards over the ranks, for the block. All ranks must enter it."""
    sharded: list[Any] = [weight for weight in model.parameters() if weight.requires_grad and hasattr(weight, "ds_id")]
    if not sharded:
        yield
        return
    import deepspeed

    with deepspeed.zero.GatheredParameters(sharded):
        yield


def deepspeed_config(distributed: "DistributedConfig") -> dict[str, Any] | None:
    """Return the settings of DeepSpeed for the ZeRO stage, or None without one."""
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
