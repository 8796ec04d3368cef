"""LoRA: the adapter's configuration for PEFT, and continuing from an earlier adapter."""

import json
import re
from pathlib import Path

from peft import LoraConfig, PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from torch.nn import Linear
from transformers import PreTrainedModel

from rl.common.errors import UserError
from rl.config.model import AdapterConfig


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


def check_targets(model: PreTrainedModel, lora: AdapterConfig) -> None:
    """Raise UserError when `lora.target_modules` names the output layer, or nothing that the model has."""
    if lora.target_modules == "all-linear":
        return
    names = [name for name, _ in model.named_modules()]
    targets = lora.target_modules
    if isinstance(targets, str):
        adapted = [name for name in names if re.fullmatch(targets, name)]
    else:
        adapted = [name for name in names if any(name == end or name.endswith(f".{end}") for end in targets)]
    shown = targets if isinstance(targets, str) else f"[{','.join(targets)}]"
    if not adapted:
        linear = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, Linear)}
        raise UserError(f"lora.target_modules={shown} matches no module; the model has {', '.join(sorted(linear))}")
    output = model.get_output_embeddings()
    if heads := [name for name in adapted if model.get_submodule(name) is output]:
        raise UserError(
            f"lora.target_modules={shown} names the output layer {heads[0]}, which the loss reads without an adapter; "
            "leave it out"
        )


def start_from(policy: PeftModel, adapter: Path, lora: AdapterConfig) -> None:
    """Load an earlier adapter's weights into the policy's fresh one.

    Raises UserError when the folder holds no adapter, or one of another rank, alpha or other modules.
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
    loaded = set_peft_model_state_dict(policy, load_file(weights))
    missing = [name for name in loaded.missing_keys if ".lora_" in name]
    if missing or loaded.unexpected_keys:
        raise UserError(
            f"lora.start={adapter} adapts other modules than lora.target_modules and lora.layers: "
            f"it lacks {len(missing)} weights and has {len(loaded.unexpected_keys)} others, such as "
            f"{[*missing, *loaded.unexpected_keys][0]}"
        )
