"""Adapter files: checks that an exported adapter is present, finite, trained, and what vLLM serves with its base."""

from pathlib import Path
from typing import Any

from torch import Tensor

from rl.common.errors import UserError
from rl.config.vllm import LORA_RANKS, OUTER_MODULES
from rl.models.module_names import tensors_without_module
from rl.models.saved_adapter import SETTINGS, WEIGHTS, read_weights
from rl.rollouts.engine_vllm import served_rank


def check_files(adapter: Path) -> None:
    """Raise UserError unless the adapter's files are there, readable and finite."""
    for name in (SETTINGS, WEIGHTS):
        if not (adapter / name).is_file():
            raise UserError(f"{adapter} has no {name}: the run has not finished; continue it with heed resume")
    read_trained(adapter)


def check_names(adapter: Path, base: str) -> None:
    """Raise UserError for tensors that the base model has no module for: they would change nothing."""
    if strange := tensors_without_module(read_weights(adapter), base):
        raise UserError(
            f"{adapter / WEIGHTS}: {base} has no module for {strange[0]} ({len(strange)} such tensors); vLLM would "
            "load them and answer with the base model"
        )


def read_trained(adapter: Path) -> dict[str, Tensor]:
    """Read an adapter's tensors. Raises UserError when they are damaged, not finite, or as before any training."""
    path, tensors = adapter / WEIGHTS, read_weights(adapter)
    if not any(tensor.any() for name, tensor in tensors.items() if "lora_B" in name):
        raise UserError(f"{path}: every lora_B is zero, so the adapter changes nothing; it was never trained")
    return tensors


def check_vllm(settings: dict[str, Any]) -> int:
    """Return the `max_lora_rank` that vLLM needs for an adapter. Raises UserError for what vLLM does not serve."""
    refused = {
        "use_dora": bool(settings.get("use_dora")),
        "bias": settings.get("bias", "none") != "none",
        "modules_to_save": bool(settings.get("modules_to_save")),
        "target_modules": bool(set(OUTER_MODULES) & set(settings.get("target_modules") or ())),
        "r": settings["r"] > LORA_RANKS[-1],
    }
    if any(refused.values()):
        names = ", ".join(f"{name}={settings[name]!r}" for name, is_refused in refused.items() if is_refused)
        raise UserError(f"vLLM cannot serve this adapter: {names}; train a plain LoRA of rank <= {LORA_RANKS[-1]}")
    return served_rank(settings["r"])
