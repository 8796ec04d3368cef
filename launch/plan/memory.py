"""Memory: the bytes that each phase of a step needs at its peak on one device, predicted from the model's shape.

The phases alternate, so a device must hold the largest, never their sum. What no source states (NCCL's buffers, gaps
between blocks, a process's main memory) is a round estimate.
"""

from dataclasses import dataclass

from launch.plan.activations import adapter_ranks, adapter_width, kept_bytes, loss_bytes, passing_bytes
from launch.plan.packing import learner_rows
from launch.plan.sampling import (
    autocast_copies,
    engine_parts,
    packed_weights,
    rollout_parts,
    sampling_parts,
    worker_bytes,
    worker_parts,
    workers_beside,
)
from launch.plan.shape import num_trainable
from launch.plan.workload import Workload
from rl.config.distributed import zero_bucket
from rl.config.root import Config

HEAP_GAPS = 0.4
"""Share that a CPU's heap takes beyond the step's tensors; measured on SmolLM2 with 4 and 16 rows of 97 tokens."""
NCCL = int(0.7e9)
"""Bytes of NCCL's buffers and kernels on a GPU whose rank talks to others."""
HOST_PROCESS = int(3e9)
"""Bytes of main memory of a process that has loaded torch for CUDA, transformers and TRL."""
MASTER, ADAM = 4, 8
"""Bytes, for each trained number, of DeepSpeed's float32 copy and of Adam's two states."""
ZERO_LIVE = 1_000_000_000
"""Numbers that ZeRO-3 gathers at a time at most, its default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """One phase of a step, with its bytes at the peak by purpose.

    Example:
        Phase(name="sample", parts={"weights": 538_060_032, "kv cache": 94_371_840, "decoding": 37_748_736})
    """

    name: str
    parts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())


def memory_phases(config: Config, workload: Workload) -> list[Phase]:
    """Return sampling, training and, where there are held-out problems, scoring, each with the workers beside it.

    The ranks do not sample where workers do; a worker with a GPU of its own is a phase by itself.
    """
    resident, beside = resident_parts(config, workload), workers_beside(config, workload.device)
    shared = {"workers": beside * worker_bytes(config, workload)} if beside else {}
    phases = [Phase(name="train", parts=resident | workload.with_gaps(training_parts(config, workload)) | shared)]
    if not (config.rollouts.workers or config.rollouts.on_servers):
        sampled = workload.with_gaps(rollout_parts(config, workload))
        phases.insert(0, Phase(name="sample", parts=resident | sampled))
    elif not beside and config.rollouts.ray_workers:
        needed = engine_parts if config.rollouts.engine == "vllm" else worker_parts
        phases.insert(0, Phase(name="worker", parts=needed(config, workload)))
    if config.data.held_out or config.data.held_out_path:
        rows = config.evaluation.batch_size
        answered = sampling_parts(workload, rows, rows, config.trainer.max_completion_length)
        scored = autocast_copies(config, workload) | workload.unpacked() | answered
        phases.append(Phase(name="score", parts=resident | workload.with_gaps(scored) | shared))
    return phases


def peak_bytes(config: Config, workload: Workload) -> int:
    """Return the bytes of the largest phase, the process's libraries included."""
    return workload.device.overhead + max(phase.total for phase in memory_phases(config, workload))


def resident_parts(config: Config, workload: Workload) -> dict[str, int]:
    """Return what every phase needs; ZeRO shards optimizer states, gradients and weights, one more a stage."""
    distributed = config.distributed
    ranks, stage = distributed.processes, distributed.zero
    shards = ranks if stage >= 3 else 1
    trainable = num_trainable(config.lora, workload.shape, adapter_ranks(config))
    weights_offloaded = stage >= 3 and distributed.offload
    parts = {
        "weights": 0 if weights_offloaded else workload.weights // shards,
        "adapter": 0 if weights_offloaded else adapter_width(config, workload) * trainable // shards,
        "optimizer": 0 if distributed.offload else optimizer_bytes(config, trainable),
    }
    if not (config.rollouts.workers or config.rollouts.on_servers):
        parts |= packed_weights(config, workload)
    if stage >= 3:
        parts["gathered weights"] = min(workload.shape.num_parameters, ZERO_LIVE) * workload.width
    elif ranks > 1 and not stage:
        parts["buckets"] = 4 * trainable  # DDP's, as large as all gradients
    if ranks > 1 and workload.on_gpu:
        parts["nccl"] = NCCL
    return parts


def optimizer_bytes(config: Config, trainable: int) -> int:
    """Return one rank's share of the optimizer, on its device or offloaded."""
    if not config.distributed.zero:
        return ADAM * trainable
    return (MASTER + ADAM) * trainable // config.distributed.processes


def training_parts(config: Config, workload: Workload) -> dict[str, int]:
    """Return the gradients and their bucket, the activations for the backward pass, and what comes and goes there."""
    trainer, distributed = config.trainer, config.distributed
    rows, length = learner_rows(config, workload.longest_prompt)
    trainable = num_trainable(config.lora, workload.shape, adapter_ranks(config))
    parts = {
        "gradients": gradient_bytes(config, workload, trainable),
        "activations": rows * length * kept_bytes(config, workload, length),
    }
    if distributed.zero:
        parts["buckets"] = zero_bucket(trainable) * workload.width
    parts |= autocast_copies(config, workload) | workload.unpacked()
    if workload.on_gpu:
        return parts | {"passing": passing_bytes(config, workload, rows, length)}
    loss = loss_bytes(workload, rows * length, trainer.per_device_train_batch_size * trainer.max_completion_length)
    return parts | {"loss": loss, "gaps in the heap": round(HEAP_GAPS * (parts["activations"] + loss))}


def gradient_bytes(config: Config, workload: Workload, trainable: int) -> int:
    """Return the bytes of the gradients: all of them, or from ZeRO-2 on a rank's share in float32."""
    distributed = config.distributed
    if distributed.zero >= 2:
        return 0 if distributed.offload else 4 * trainable // distributed.processes
    return adapter_width(config, workload) * trainable


def host_bytes(config: Config, workload: Workload) -> int:
    """Return the main memory that a node with GPUs needs: all its processes load the model there at once.

    Afterwards it holds what is offloaded, if that is more. 0 without GPUs, where it is the memory of the phases.
    """
    if not workload.on_gpu:
        return 0
    distributed = config.distributed
    ranks, workers = (
        -(-number // distributed.nodes) for number in (distributed.processes, config.rollouts.ray_workers)
    )
    loading = (ranks + workers) * (HOST_PROCESS + workload.full_weights)
    if not distributed.offload:
        return loading
    trainable = num_trainable(config.lora, workload.shape, adapter_ranks(config))
    share = optimizer_bytes(config, trainable)
    share += 4 * trainable // distributed.processes if distributed.zero >= 2 else 0
    share += workload.weights // distributed.processes if distributed.zero >= 3 else 0
    return max(loading, (ranks + workers) * HOST_PROCESS + ranks * share)
