"""Adapter folder: a serialized adapter as the two files that PEFT and vLLM load."""

from collections.abc import Mapping
from pathlib import Path

from peft import LoraConfig
from safetensors.torch import load_file, save_file
from torch import Tensor

from rl.config.model import AdapterConfig
from rl.models.saved_adapter import WEIGHTS
from rl.rollouts.engine_vllm import live_name, peft_name


def write_adapter(folder: Path, tensors: Mapping[str, Tensor], lora: AdapterConfig) -> None:
    """Write live tensors under PEFT's names into a new folder, with their settings beside them."""
    folder.mkdir(parents=True)
    save_file({peft_name(name): tensor for name, tensor in tensors.items()}, folder / WEIGHTS)
    LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        use_rslora=lora.use_rslora,
        target_modules=sorted({name.split(".lora_")[0].rpartition(".")[2] for name in tensors}),
        task_type="CAUSAL_LM",
    ).save_pretrained(str(folder))


def read_adapter(folder: Path) -> dict[str, Tensor]:
    """Read the tensors back under their live names."""
    return {live_name(name): tensor for name, tensor in load_file(folder / WEIGHTS).items()}
