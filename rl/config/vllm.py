"""Settings of `rollouts.vllm`: options of vLLM's `LLM(...)`, under vLLM's own names."""

from typing import Annotated, Any

from pydantic import Field

from rl.config.types import Positive, Section, Weight

SHARE = 0.92
"""Share of a GPU that vLLM takes by default, whatever it needs."""
CPU_CACHE = 2**30
"""Bytes of KV cache on a CPU where nothing is set; vLLM itself would ask for `SHARE` of the machine's memory."""

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Values of vLLM's `max_lora_rank`; an adapter fits under the smallest one at or above its rank."""
OUTER_MODULES = ("embed_tokens", "lm_head")
"""Modules on which vLLM serves no LoRA."""


class VllmConfig(Section):
    """What `LLM(...)` is started with; null leaves vLLM's own default."""

    gpu_memory_utilization: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Share of a GPU's memory that the engine takes, weights included, whatever it needs; null takes `rollouts.gpus`
    where that is a share below 1, else vLLM's 0.92."""
    kv_cache_memory_bytes: Positive | None = None
    """Bytes of KV cache instead of what is left of that share; on a CPU null is 1 GiB."""
    max_model_len: Positive | None = None
    """Tokens of prompt and completion together; null takes the model's own, which the KV cache has to hold once."""
    max_num_seqs: Positive | None = None
    """Rows that are sampled at the same time."""
    max_num_batched_tokens: Positive | None = None
    """Tokens of one forward pass."""
    tensor_parallel_size: Positive = 1
    """GPUs over which one engine shards the model; a cluster has to reserve as many by `rollouts.gpus`."""
    enforce_eager: bool = False
    """No CUDA graphs: a faster start, slower sampling, less memory."""
    enable_prefix_caching: bool | None = None
    """Whether a prompt's KV cache is kept for prompts that begin alike."""
    enable_sleep_mode: bool = False
    """On a GPU: give the memory back between requests, moving the weights to the host."""
    quantization: str | None = None
    """Method of a quantized base model, as in awq; the learner's model has to be the same."""
    kv_cache_dtype: str | None = None
    """Number format of the KV cache, as in fp8."""
    block_size: Positive | None = None
    """Tokens in a block of the KV cache."""
    cpu_offload_gb: Weight | None = None
    """GiB of the weights that stay in the host's memory."""

    def options(self, share: float) -> dict[str, Any]:
        """Return the keyword arguments of `LLM(...)`; `share` is `rollouts.gpus`."""
        return ({"gpu_memory_utilization": share} if 0.0 < share < 1.0 else {}) | self.model_dump(exclude_none=True)

    def share_of_gpu(self, share: float) -> float:
        """Return the share of a GPU's memory that the engine takes; `share` is `rollouts.gpus`."""
        return self.options(share).get("gpu_memory_utilization", SHARE)
