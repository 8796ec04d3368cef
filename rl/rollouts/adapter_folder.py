"""Adapter folder: one adapter of a published policy as the two files that PEFT and vLLM load."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from peft import LoraConfig
from safetensors.torch import load_file, save_file
from torch import Tensor

from rl.config.model import AdapterConfig
from rl.models.module_names import tensors_without_module
from rl.models.saved_adapter import WEIGHTS


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


def without_module(tensors: Iterable[str], adapters: Iterable[str], base: str) -> tuple[str, ...]:
    """Return the live names of the adapters' tensors for which the base model has no module."""
    names = [*tensors]
    live = {peft_name(name, adapter): name for adapter in adapters for name in names if is_of(name, adapter)}
    return tuple(live[name] for name in tensors_without_module(live, base))


def changes_something(tensors: Mapping[str, Tensor], adapter: str) -> bool:
    """Return whether an adapter is not zero."""
    return any(bool(tensor.any()) for name, tensor in tensors.items() if is_of(name, adapter) and "lora_B" in name)


def is_of(name: str, adapter: str) -> bool:
    """Return whether a live tensor belongs to an adapter."""
    return ".lora_" in name and f".{adapter}." in name


def peft_name(name: str, adapter: str = "default") -> str:
    """Return a live tensor's name as PEFT writes it into an adapter's file.

    Example:
        "model.layers.0.up_proj.lora_A.default.weight" -> "base_model.model.model.layers.0.up_proj.lora_A.weight"
    """
    return f"base_model.model.{name.replace(f'.{adapter}.', '.')}"


def live_name(name: str, adapter: str = "default") -> str:
    """Invert `peft_name`."""
    return name.removeprefix("base_model.model.").removesuffix(".weight") + f".{adapter}.weight"
