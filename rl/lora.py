"""LoRA: PEFT's description of the adapter that the config asks for."""

from peft import LoraConfig

from rl.config import Lora


def lora_config(lora: Lora) -> LoraConfig:
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
