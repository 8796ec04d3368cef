"""Quantization: a frozen base model whose linear layers are kept in 4 bits (QLoRA, arXiv 2305.14314)."""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from transformers import BitsAndBytesConfig

from rl.common.errors import UserError
from rl.config.model import ModelConfig

PACKAGE = "bitsandbytes"


def check_quantization(model: ModelConfig) -> None:
    """Raise UserError when the package that quantizes is not installed."""
    if model.quantization and PACKAGE not in sys.modules and find_spec(PACKAGE) is None:
        raise UserError(
            f"model.quantization={model.quantization} needs {PACKAGE}, which is not installed; install it with "
            "`pip install heed[quantized]`, or leave quantization null"
        )


def four_bit_options(dtype: torch.dtype, device: torch.device | str) -> dict[str, Any]:
    """Return what `from_pretrained` needs to keep linear layers as NF4 on `device` and to compute in `dtype`."""
    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    return {"quantization_config": quantization, "device_map": {"": device}}


def keep_one_kernel(model: nn.Module) -> None:
    """Have every pass of a quantized model computed alike, in eval mode, too.

    On a CPU with AVX512-BF16, bitsandbytes repacks weights in eval mode for a kernel that rounds to bfloat16 and has no
    backward pass, so that sampler and learner would differ.
    """
    modules: Iterator[Any] = model.modules()
    for module in modules:
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def widen_adapter(policy: PeftModel) -> None:
    """Keep the adapter in float32: TRL casts that of a quantized base to bfloat16, which loses small steps."""
    for weight in policy.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
