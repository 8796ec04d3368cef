"""Activations: what autograd keeps of a forward pass, counted operation by operation, and what passes beside it.

The tests compare both with real passes on a CPU: what is kept to the byte, the peak within a twentieth.
"""

from launch.plan.shape import adapted_modules
from launch.plan.workload import WIDTH, Workload
from rl.config.credit_rules import credit_rule
from rl.config.root import Config

VOCABULARY_TILE = 32_768
TOKEN_TILE = 4_096
"""TRL's loss goes over the logits in tiles of so many tokens by so many words."""
CPU_TILES = 9
"""Copies of a tile that the loss needs in backward where there is no Triton kernel."""
PROBE_ROWS = 512
"""Rows of attention that the probe reads at a time on a GPU."""


def adapter_ranks(config: Config) -> tuple[int, ...]:
    """Return the rank of every adapter that is trained: one, or those of `routing.adapters`."""
    routing, rank = config.routing, config.lora.r
    return tuple(routing.ranks.get(name, rank) for name in routing.adapters) or (rank,)


def adapter_width(config: Config, workload: Workload) -> int:
    """Return the bytes of one number of the adapter: PEFT keeps it in float32, DeepSpeed casts it to the model's."""
    return workload.width if config.distributed.zero else WIDTH["float32"]


def casts_inputs(config: Config, workload: Workload) -> bool:
    """Whether every adapter casts its input, so that it keeps a copy to itself."""
    return adapter_width(config, workload) > workload.width


def kept_bytes(config: Config, workload: Workload, length: int) -> int:
    """Return the bytes that autograd keeps of one token in all layers that the backward pass reaches.

    The token is in a row of `length` tokens. Rows of shared prompts have one mask for all layers; otherwise attention
    makes itself one in each.
    """
    shape, layers, mask = workload.shape, config.lora.layers, length * workload.width
    reached = shape.layers - (min(layers) if layers else 0)
    layer = layer_bytes(config, workload)
    if config.trainer.gradient_checkpointing:  # every layer's input, and one layer that is computed again
        return reached * shape.hidden * workload.width + layer + mask
    return reached * layer + (mask if config.trainer.shared_prompts else reached * mask)


def layer_bytes(config: Config, workload: Workload) -> int:
    """Return the bytes of one token in one layer, without its row of the mask.

    They are those of the norms, attention, the gated part, and the inputs of the adapter.
    """
    shape, width = workload.shape, workload.width
    norms = 2 * (shape.hidden + 1) * 4  # each keeps its input and one factor in float32
    # q, k, v and the output; keys and values are repeated for the heads that share them
    attention = 4 * shape.heads * shape.head_size * width + shape.heads * 4
    gated = 3 * shape.intermediate * width  # the gate, its activation and the other factor
    names = adapted_modules(config.lora, shape)
    casts = casts_inputs(config, workload)
    inputs = {(name if casts else _reads(name)): shape.linears()[name][0] for name in names}
    if not casts:
        inputs.pop("o_proj", None)  # attention keeps its output, which is this input
    adapted = (sum(inputs.values()) + len(names) * sum(adapter_ranks(config))) * width
    return norms + attention + gated + adapted


def passing_bytes(config: Config, workload: Workload, rows: int, length: int) -> int:
    """Return the bytes that a GPU needs for a moment beside what is kept: for the loss, a layer or the probe.

    The three follow each other, so it is the largest.
    """
    trainer, tokens = config.trainer, rows * length
    completions, text = trainer.per_device_train_batch_size, workload.longest_prompt + trainer.max_completion_length
    shape, width = workload.shape, workload.width
    # bytes for each number: gradients and, of a cast input, its float32
    hidden, intermediate = (14, width + 4) if casts_inputs(config, workload) else (6, 2 * width)
    layer = tokens * (hidden * shape.hidden + intermediate * shape.intermediate)
    # the probe reads each completion with its prompt, shared or not
    probed = completions * shape.heads * min(PROBE_ROWS, text) * text * 2 * 4 if _probes(config) else 0
    return max(loss_bytes(workload, tokens, completions * trainer.max_completion_length), layer, probed)


def loss_bytes(workload: Workload, tokens: int, completion_tokens: int) -> int:
    """Return the bytes of the loss's tiles of logits; without Triton every position has logits, and copies of them."""
    words, width = min(VOCABULARY_TILE, workload.shape.vocabulary), workload.width
    if not workload.on_gpu:
        return CPU_TILES * min(tokens, TOKEN_TILE) * words * 4
    # one tile; of each token the hidden state, and its gradient in float32 and as the model has it
    hidden_states = completion_tokens * workload.shape.hidden * (width + 4 + width)
    return min(completion_tokens, TOKEN_TILE) * words * width + hidden_states


def _probes(config: Config) -> bool:
    return config.probe.listen == "always" or bool(credit_rule(config.credit.rule).needs)


def _reads(module: str) -> str:
    """Return the tensor that a module reads, so that modules which share one are counted once."""
    return {"q_proj": "attention", "k_proj": "attention", "v_proj": "attention"}.get(
        module, {"gate_proj": "gated", "up_proj": "gated"}.get(module, module)
    )
