"""Memory: the bytes that each phase of a step needs at its peak on one device, predicted from the model's shape.

What autograd keeps is counted operation by operation, and compared with a real step on a CPU in the tests. The phases
alternate, so a device must hold the largest, never their sum.
"""

from dataclasses import dataclass

from launch.plan.shape import Shape
from rl.common.errors import UserError
from rl.config.model import AdapterConfig
from rl.config.rollouts import RolloutsConfig
from rl.config.root import Config
from rl.config.trainer import TrainerConfig

WIDTH = {"float32": 4, "bfloat16": 2}
VOCABULARY_TILE = 32_768
TOKEN_TILE = 4_096
"""TRL's loss goes over the logits in tiles of so many tokens by so many words."""
CPU_TILES = 9
"""Copies of a tile that the loss needs in backward where there is no Triton kernel."""
HEAP_GAPS = 0.4
"""Share that a CPU's heap takes beyond the step's tensors; measured on SmolLM2 with 4 and 16 rows of 97 tokens."""
ADAM_STATES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """One phase of a step, with its bytes at the peak by purpose.

    Example:
        Phase(name="sample", parts={"weights": 538_060_032, "kv cache": 94_371_840, "logits": 37_748_736})
    """

    name: str
    parts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """What the prediction depends on besides the config."""

    shape: Shape
    dtype: str
    """`float32` or `bfloat16`."""
    longest_prompt: int
    on_gpu: bool


def memory_phases(config: Config, workload: Workload) -> list[Phase]:
    """Return sampling, training and, where there are held-out problems, scoring."""
    resident = resident_parts(config, workload)
    trainer, evaluation = config.trainer, config.evaluation
    sampled = sampling_parts(workload, _rows_at_once(trainer, config.rollouts), trainer.max_completion_length)
    phases = [
        Phase(name="sample", parts=resident | sampled),
        Phase(name="train", parts=resident | training_parts(config, workload)),
    ]
    if config.data.held_out or config.data.held_out_path:
        scored = sampling_parts(workload, evaluation.batch_size, trainer.max_completion_length)
        phases.append(Phase(name="score", parts=resident | scored))
    return phases


def peak_bytes(config: Config, workload: Workload) -> int:
    """Return the bytes of the largest phase."""
    return max(phase.total for phase in memory_phases(config, workload))


def num_trainable(lora: AdapterConfig, shape: Shape) -> int:
    """Count the adapter's parameters. Raises UserError for a module or a layer that the model does not have."""
    linears = shape.linears()
    names = linears if lora.target_modules == "all-linear" else _listed(lora)
    if unknown := [name for name in names if name not in linears]:
        raise UserError(f"lora.target_modules: the model has no {', '.join(unknown)}; it has {', '.join(linears)}")
    layers = range(shape.layers) if lora.layers is None else lora.layers
    if outside := [layer for layer in layers if not 0 <= layer < shape.layers]:
        raise UserError(f"lora.layers: {outside} do not exist; the model has layers 0 to {shape.layers - 1}")
    return len(layers) * sum(lora.r * sum(linears[name]) for name in names)


def resident_parts(config: Config, workload: Workload) -> dict[str, int]:
    """Return what every phase needs; ZeRO shards optimizer states, gradients and weights, one more a stage."""
    ranks, stage = config.distributed.processes, config.distributed.zero
    adapter = 4 * num_trainable(config.lora, workload.shape)
    weights = workload.shape.num_parameters * WIDTH[workload.dtype]
    return {
        "weights": weights // (ranks if stage >= 3 else 1),
        "adapter": adapter // (ranks if stage >= 3 else 1),
        "optimizer": ADAM_STATES * adapter // (ranks if stage >= 1 else 1),
    }


def sampling_parts(workload: Workload, rows: int, completion: int) -> dict[str, int]:
    """Return the KV cache of every row, and the logits of one decoding step."""
    shape, width = workload.shape, WIDTH[workload.dtype]
    tokens = rows * (workload.longest_prompt + completion)
    cache = 2 * shape.layers * shape.key_value_heads * shape.head_size * width
    # log-probs, their float32 copy, and the cumulative sum in float64 with its exponentials
    return {"kv cache": tokens * cache, "logits": rows * shape.vocabulary * (4 + 4 + 8 + 8)}


def training_parts(config: Config, workload: Workload) -> dict[str, int]:
    """Return the activations for the backward pass, the loss's tiles, and the gradients."""
    trainer, ranks = config.trainer, config.distributed.processes
    rows = trainer.per_device_train_batch_size
    tokens = rows * (workload.longest_prompt + trainer.max_completion_length)
    gradients = 4 * num_trainable(config.lora, workload.shape)
    activations = tokens * activation_bytes(config.lora, trainer, workload, tokens // rows)
    loss = loss_bytes(workload, tokens, rows * trainer.max_completion_length)
    return {
        "gradients": gradients // (ranks if config.distributed.zero >= 2 else 1),
        "activations": activations,
        "loss": loss,
        **({} if workload.on_gpu else {"gaps in the heap": round(HEAP_GAPS * (activations + loss))}),
    }


def activation_bytes(lora: AdapterConfig, trainer: TrainerConfig, workload: Workload, length: int) -> int:
    """Return the bytes that autograd keeps of one token in all layers that the backward pass reaches."""
    shape, width = workload.shape, WIDTH[workload.dtype]
    lowest = min(lora.layers) if lora.layers else 0
    reached = shape.layers - lowest
    layer = layer_bytes(lora, workload, length)
    if trainer.gradient_checkpointing:
        return reached * shape.hidden * width + layer
    return reached * layer


def layer_bytes(lora: AdapterConfig, workload: Workload, length: int) -> int:
    """Return the bytes of one token in one layer, in a row of `length` tokens.

    They are those of the norms, attention, the gated part, and the inputs of the adapter.
    """
    shape, width = workload.shape, WIDTH[workload.dtype]
    norms = 2 * (shape.hidden + 1) * 4  # each keeps its input and one factor in float32
    # q, k, v and the output; keys and values are repeated for the heads that share them; each layer has a mask
    attention = (4 * shape.heads * shape.head_size + length) * width + shape.heads * 4
    gated = 3 * shape.intermediate * width  # the gate, its activation and the other factor
    names = tuple(shape.linears()) if lora.target_modules == "all-linear" else _listed(lora)
    inputs = {(name if width == 2 else _reads(name)): shape.linears()[name][0] for name in names}
    if width == 4:
        inputs.pop("o_proj", None)  # attention keeps its output, which is this input
    adapted = (sum(inputs.values()) + len(names) * lora.r) * width
    return norms + attention + gated + adapted


def loss_bytes(workload: Workload, tokens: int, completion_tokens: int) -> int:
    """Return the bytes of the loss's tiles of logits; without Triton every position has logits, and copies of them."""
    words = min(VOCABULARY_TILE, workload.shape.vocabulary)
    if workload.on_gpu:
        return min(completion_tokens, TOKEN_TILE) * words * WIDTH[workload.dtype]
    return CPU_TILES * min(tokens, TOKEN_TILE) * words * 4


def _reads(module: str) -> str:
    """Return the name of a module's input, which is kept once for all modules that read it.

    Under autocast each module keeps a copy.
    """
    return {"q_proj": "attention", "k_proj": "attention", "v_proj": "attention"}.get(
        module, {"gate_proj": "gated", "up_proj": "gated"}.get(module, module)
    )


def _listed(lora: AdapterConfig) -> tuple[str, ...]:
    names = lora.target_modules
    return (names,) if isinstance(names, str) else names


def _rows_at_once(trainer: TrainerConfig, rollouts: RolloutsConfig) -> int:
    """Return how many completions one rank samples at a time."""
    groups = trainer.batch_per_generation // trainer.num_generations
    return min(rollouts.groups_per_unit or groups, groups) * trainer.num_generations
