"""LoRA: the adapter's configuration for PEFT, and continuing from an earlier adapter."""

import json
from pathlib import Path

from peft import LoraConfig, PeftModel, set_peft_model_state_dict

from rl.common.errors import UserError
from rl.config.model import AdapterConfig
from rl.models.finite import load_finite


def lora_config(lora: AdapterConfig) -> LoraConfig:
    """Return PEFT's configuration of the adapter."""
    targets = lora.target_modules
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        layers_to_transform=None if lora.layers is None else list(lora.layers),
        use_rslora=lora.use_rslora,
        task_type="CAUSAL_LM",
    )


def start_from(policy: PeftModel, adapter: Path, lora: AdapterConfig) -> None:
    """Load an earlier adapter's weights into the policy's fresh one.

    Raises UserError when the folder holds no adapter, or one of another rank, alpha or other modules, or not finite.
    """
    weights, description = adapter / "adapter_model.safetensors", adapter / "adapter_config.json"
    if not (weights.is_file() and description.is_file()):
        raise UserError(f"lora.start={adapter} has no adapter_config.json and adapter_model.safetensors")
    saved = json.loads(description.read_text(encoding="utf-8"))
    for name, key, value in (("r", "r", lora.r), ("alpha", "lora_alpha", lora.alpha)):
        if saved[key] != value:
            raise UserError(
                f"lora.start={adapter} was trained with lora.{name}={saved[key]}, got {value}; set {name}={saved[key]}"
            )
    loaded = set_peft_model_state_dict(policy, load_finite(weights))
    missing = [name for name in loaded.missing_keys if ".lora_" in name]
    if missing or loaded.unexpected_keys:
        raise UserError(
            f"lora.start={adapter} adapts other modules than lora.target_modules and lora.layers: "
            f"it lacks {len(missing)} weights and has {len(loaded.unexpected_keys)} others, such as "
            f"{[*missing, *loaded.unexpected_keys][0]}"
        )
