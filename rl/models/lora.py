"""LoRA: the adapter's configuration for PEFT, and continuing from an earlier adapter."""

from pathlib import Path

from peft import LoraConfig, PeftModel

from rl.common.errors import UserError
from rl.config.model import AdapterConfig
from rl.models.saved_adapter import SETTINGS, WEIGHTS, load_weights, read_settings, read_weights


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

    Raises UserError when the folder holds no adapter, or one of another rank, alpha or other modules.
    """
    if not all((adapter / file).is_file() for file in (SETTINGS, WEIGHTS)):
        raise UserError(f"lora.start={adapter} has no {SETTINGS} and {WEIGHTS}")
    saved = read_settings(adapter)
    for name, key, value in (("r", "r", lora.r), ("alpha", "lora_alpha", lora.alpha)):
        if saved[key] != value:
            raise UserError(
                f"lora.start={adapter} was trained with lora.{name}={saved[key]}, got {value}; set {name}={saved[key]}"
            )
    load_weights(policy, read_weights(adapter), source=f"lora.start={adapter}")
