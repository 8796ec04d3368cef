"""Adapter folder: one adapter of a published policy as the two files that PEFT and vLLM load."""

from collections.abc import Mapping
from pathlib import Path

from peft import LoraConfig
from safetensors.torch import load_file, save_file
from torch import Tensor

from rl.config.model import AdapterConfig
from rl.models.saved_adapter import WEIGHTS
from rl.rollouts.engine_vllm import is_of, live_name, peft_name


def write_adapter(folder: Path, tensors: Mapping[str, Tensor], adapter: str, lora: AdapterConfig) -> None:
    """Write an adapter's live tensors under PEFT's names into a new folder, with their settings beside them."""
    folder.mkdir(parents=True)
    own = {peft_name(name, adapter): tensor for name, tensor in tensors.items() if is_of(name, adapter)}
    save_file(own, folder / WEIGHTS)
    LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        use_rslora=lora.use_rslora,
        target_modules=sorted({name.split(".lora_")[0].rpartition(".")[2] for name in own}),
        task_type="CAUSAL_LM",
    ).save_pretrained(str(folder))


def read_adapter(folder: Path, adapter: str) -> dict[str, Tensor]:
    """Read the tensors back under their live names."""
    return {live_name(name, adapter): tensor for name, tensor in load_file(folder / WEIGHTS).items()}
