"""Sampling: the memory of prompts and caches, in a rank or in a rollout worker, and the workers on a rank's device."""

import math
from collections.abc import Iterator

from launch.plan.activations import adapter_ranks, adapter_width
from launch.plan.device import GIB, Device
from launch.plan.shape import num_trainable
from launch.plan.workload import Workload
from rl.config.distributed import RANK_SHARE
from rl.config.root import Config
from rl.config.vllm import CPU_CACHE

ROUNDING = 1e-9


def sampling_parts(workload: Workload, prompts: int, rows: int, completion: int) -> dict[str, int]:
    """Return the KV cache of every row, and what comes and goes beside it: the prompts' pass, then each token's."""
    shape, width = workload.shape, workload.width
    cache = 2 * shape.layers * shape.key_value_heads * shape.head_size * width
    # the gated part's first factor, and the second with its adapter's part and their sum; the norms' two copies
    prompt = prompts * workload.longest_prompt * (4 * width * shape.intermediate + 2 * 4 * shape.hidden)
    # log-probs, their float32 copy, and the cumulative sum in float64 with its exponentials
    token = rows * shape.vocabulary * (4 + 4 + 8 + 8)
    return {
        "kv cache": rows * (workload.longest_prompt + completion) * cache,
        "decoding": max(prompt, token),
    }


def rollout_parts(config: Config, workload: Workload) -> dict[str, int]:
    """Return the memory of sampling one unit of work."""
    trainer = config.trainer
    groups = trainer.batch_per_generation // trainer.num_generations
    groups = min(config.rollouts.groups_per_unit or groups, groups)
    sampled = sampling_parts(workload, groups, groups * trainer.num_generations, trainer.max_completion_length)
    return autocast_copies(config, workload) | workload.unpacked() | sampled


def packed_weights(config: Config, workload: Workload) -> dict[str, int]:
    """Return the second copy of the frozen weights with which a process decodes on a CPU; ZeRO-3 leaves it none."""
    is_made = config.rollouts.packed_weights and config.distributed.zero < 3 and not workload.on_gpu
    return {"packed weights": workload.packed_weights} if is_made else {}


def autocast_copies(config: Config, workload: Workload) -> dict[str, int]:
    """Return the adapter in bfloat16, which autocast keeps beside its float32; DeepSpeed has it in bfloat16 only."""
    if config.distributed.zero or workload.dtype != "bfloat16":
        return {}
    return {"autocast copies": workload.width * num_trainable(config.lora, workload.shape, adapter_ranks(config))}


def worker_parts(config: Config, workload: Workload) -> dict[str, int]:
    """Return what one worker needs without its libraries."""
    adapter = adapter_width(config, workload) * num_trainable(config.lora, workload.shape, adapter_ranks(config))
    parts = {"weights": workload.weights, "adapter": adapter} | packed_weights(config, workload)
    return parts | workload.with_gaps(rollout_parts(config, workload))


def worker_bytes(config: Config, workload: Workload) -> int:
    """Return what one worker takes of a device that it shares: all that it ever needed, as its allocator keeps it.

    vLLM takes its share of a GPU whatever it needs, and on a CPU its weights and its cache.
    """
    rollouts = config.rollouts
    if rollouts.engine != "vllm":
        return workload.device.overhead + sum(worker_parts(config, workload).values())
    if workload.on_gpu or rollouts.vllm.gpu_memory_utilization:
        return int(rollouts.vllm.share_of_gpu(rollouts.gpus) * workload.device.memory)
    parts = worker_parts(config, workload)
    cache = rollouts.vllm.kv_cache_memory_bytes or CPU_CACHE
    return workload.device.overhead + parts["weights"] + parts["adapter"] + cache


def engine_parts(config: Config, workload: Workload) -> dict[str, int]:
    """Return the least that vLLM starts with on each of its GPUs: weights, adapters, and one row's KV cache."""
    vllm, shape = config.rollouts.vllm, workload.shape
    length = vllm.max_model_len or shape.positions or workload.longest_prompt + config.trainer.max_completion_length
    row = length * 2 * shape.layers * shape.key_value_heads * shape.head_size * workload.width
    parts, ranks = worker_parts(config, workload), vllm.tensor_parallel_size
    return {
        "weights": parts["weights"] // ranks,
        "adapter": parts["adapter"] // ranks,
        "kv cache": max(row // ranks, vllm.kv_cache_memory_bytes or 0),
    }


def engine_bytes(config: Config, workload: Workload) -> int:
    """Return the least share of a GPU that vLLM starts with."""
    return workload.device.overhead + sum(engine_parts(config, workload).values())


def engine_errors(config: Config, workload: Workload) -> Iterator[str]:
    """Yield a sentence for a share of the GPU with which vLLM cannot start."""
    rollouts = config.rollouts
    if rollouts.engine != "vllm" or not workload.on_gpu:
        return
    share, memory = rollouts.vllm.share_of_gpu(rollouts.gpus), workload.device.memory
    needed = engine_bytes(config, workload)
    if needed > share * memory:
        least, more = math.ceil(100 * needed / memory) / 100, 2 * rollouts.vllm.tensor_parallel_size
        way = (
            f"set rollouts.vllm.gpu_memory_utilization to at least {least:g}"
            if least <= 1.0
            else f"shard it by rollouts.vllm.tensor_parallel_size={more} and rollouts.gpus={more} on a cluster"
        )
        yield (
            f"vLLM takes {share:g} of the GPU, {share * memory / GIB:.1f} GiB, but needs {needed / GIB:.1f} for the "
            f"weights, the adapters and the KV cache of one row; {way}, or lower rollouts.vllm.max_model_len"
        )


def workers_beside(config: Config, device: Device) -> int:
    """Return how many workers share a rank's device: all on a CPU; on a GPU those that fit into what the rank leaves.

    Each rank is taken to have a GPU, and workers that do not fit beside one to have GPUs of their own.
    """
    rollouts, distributed = config.rollouts, config.distributed
    each = config.workers_per_rank
    if not (device.is_gpu and rollouts.gpus):
        return each
    free = 1.0 - (RANK_SHARE if config.has_own_ray else distributed.gpus or 1.0)
    return min(each, int(free / rollouts.gpus + ROUNDING))
