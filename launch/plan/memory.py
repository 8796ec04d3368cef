"""Memory: what each phase of a step holds at its peak on one device, predicted from the model's shape.

What autograd keeps is counted operation by operation, and held against a real step on a CPU in the tests. The phases
alternate, so a device must hold the largest, never their sum.
"""

from dataclasses import dataclass

from launch.plan.shape import Shape
from rl.common.errors import UserError
from rl.config.model import AdapterConfig
from rl.config.root import Config

WIDTH = {"float32": 4, "bfloat16": 2}
VOCABULARY_TILE = 32_768
TOKEN_TILE = 4_096
"""TRL's loss sees the vocabulary in tiles of this many tokens by that many words."""
CPU_TILES = 9
"""Copies of a tile that the loss holds in backward where there is no Triton kernel."""
HEAP_GAPS = 0.4
"""Share that a CPU's heap holds beyond the step's tensors; measured on SmolLM2 with 4 and 16 rows of 97 tokens."""
ADAM_STATES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """What one phase holds at its peak, in bytes, by what it is for."""

    name: str
    parts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What the prediction depends on beside the config."""

    shape: Shape
    dtype: str
    """`float32` or `bfloat16`."""
    longest_prompt: int
    on_gpu: bool


def phases(config: Config, setting: Setting) -> list[Phase]:
    """Sampling, training and, where there are held-out problems, scoring."""
    resting = resident(config, setting)
    trainer, evaluation = config.trainer, config.evaluation
    found = [
        Phase(name="sample", parts=resting | sampling(setting, _rows_at_once(config), trainer.max_completion_length)),
        Phase(name="train", parts=resting | training(config, setting)),
    ]
    if config.data.held_out or config.data.held_out_path:
        parts = sampling(setting, evaluation.batch_size, trainer.max_completion_length)
        found.append(Phase(name="score", parts=resting | parts))
    return found


def num_trainable(lora: AdapterConfig, shape: Shape) -> int:
    """Parameters of the adapter. Raises UserError for a module or a layer that the model does not have."""
    linears = shape.linears()
    names = linears if lora.target_modules == "all-linear" else _listed(lora)
    if unknown := [name for name in names if name not in linears]:
        raise UserError(f"lora.target_modules: the model has no {', '.join(unknown)}; it has {', '.join(linears)}")
    layers = range(shape.layers) if lora.layers is None else lora.layers
    if outside := [layer for layer in layers if not 0 <= layer < shape.layers]:
        raise UserError(f"lora.layers: {outside} do not exist; the model has layers 0 to {shape.layers - 1}")
    return len(layers) * sum(lora.r * sum(linears[name]) for name in names)


def resident(config: Config, setting: Setting) -> dict[str, int]:
    """What is there in every phase; ZeRO shares optimizer states, gradients and weights among the ranks in turn."""
    ranks, stage = config.distributed.processes, config.distributed.zero
    adapter = 4 * num_trainable(config.lora, setting.shape)
    weights = setting.shape.num_parameters * WIDTH[setting.dtype]
    return {
        "weights": weights // (ranks if stage >= 3 else 1),
        "adapter": adapter // (ranks if stage >= 3 else 1),
        "optimizer": ADAM_STATES * adapter // (ranks if stage >= 1 else 1),
    }


def sampling(setting: Setting, rows: int, completion: int) -> dict[str, int]:
    """Keys and values of every row, and one step's scores over the vocabulary."""
    shape, width = setting.shape, WIDTH[setting.dtype]
    tokens = rows * (setting.longest_prompt + completion)
    cache = 2 * shape.layers * shape.key_value_heads * shape.head_size * width
    # log-probs, their float32 copy, and the cumulative sum in float64 with its exponentials
    return {"kv cache": tokens * cache, "logits": rows * shape.vocabulary * (4 + 4 + 8 + 8)}


def training(config: Config, setting: Setting) -> dict[str, int]:
    """Activations kept for the backward pass, the loss's tiles, and the gradients."""
    trainer, ranks = config.trainer, config.distributed.processes
    rows = trainer.per_device_train_batch_size
    tokens = rows * (setting.longest_prompt + trainer.max_completion_length)
    gradients = 4 * num_trainable(config.lora, setting.shape)
    activations = tokens * activation_bytes(config, setting, tokens // rows)
    loss = loss_bytes(setting, tokens, rows * trainer.max_completion_length)
    return {
        "gradients": gradients // (ranks if config.distributed.zero >= 2 else 1),
        "activations": activations,
        "loss": loss,
        **({} if setting.on_gpu else {"gaps in the heap": round(HEAP_GAPS * (activations + loss))}),
    }


def activation_bytes(config: Config, setting: Setting, length: int) -> int:
    """Bytes that autograd keeps of one token in all layers that the backward pass reaches."""
    shape, width = setting.shape, WIDTH[setting.dtype]
    lowest = min(config.lora.layers) if config.lora.layers else 0
    reached = shape.layers - lowest
    layer = layer_bytes(config.lora, setting, length)
    if config.trainer.gradient_checkpointing:
        return reached * shape.hidden * width + layer
    return reached * layer


def layer_bytes(lora: AdapterConfig, setting: Setting, length: int) -> int:
    """Of one token in one layer, in a row of `length`: norms, attention, the gated part, what the adapter reads."""
    shape, width = setting.shape, WIDTH[setting.dtype]
    norms = 2 * (shape.hidden + 1) * 4  # each keeps its input and one factor in float32
    # q, k, v and the output; keys and values are repeated for the heads that share them; the mask is made anew a layer
    attention = (4 * shape.heads * shape.head_size + length) * width + shape.heads * 4
    gated = 3 * shape.intermediate * width  # the gate, its activation and the other factor
    names = tuple(shape.linears()) if lora.target_modules == "all-linear" else _listed(lora)
    inputs = {(name if width == 2 else _reads(name)): shape.linears()[name][0] for name in names}
    if width == 4:
        inputs.pop("o_proj", None)  # attention has kept its output already
    adapted = (sum(inputs.values()) + len(names) * lora.r) * width
    return norms + attention + gated + adapted


def loss_bytes(setting: Setting, tokens: int, completion_tokens: int) -> int:
    """Tiles of scores over the vocabulary; without Triton every position is scored, and copies are kept."""
    words = min(VOCABULARY_TILE, setting.shape.vocabulary)
    if setting.on_gpu:
        return min(completion_tokens, TOKEN_TILE) * words * WIDTH[setting.dtype]
    return CPU_TILES * min(tokens, TOKEN_TILE) * words * 4


def _reads(module: str) -> str:
    """The tensor a module reads, kept once for all its readers; under autocast each keeps a copy of its own."""
    return {"q_proj": "attention", "k_proj": "attention", "v_proj": "attention"}.get(
        module, {"gate_proj": "gated", "up_proj": "gated"}.get(module, module)
    )


def _listed(lora: AdapterConfig) -> tuple[str, ...]:
    names = lora.target_modules
    return (names,) if isinstance(names, str) else names


def _rows_at_once(config: Config) -> int:
    groups = config.trainer.batch_per_generation // config.trainer.num_generations
    return min(config.rollouts.groups_per_unit or groups, groups) * config.trainer.num_generations
