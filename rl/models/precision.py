"""Precision: what is computed outside of a model's loss has the number types of the loss."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from transformers import PreTrainedModel

# Types are read from the weights, so that whoever loads or trains a model decides them in one place.


@contextmanager
def loss_precision(model: PreTrainedModel | PeftModel) -> Iterator[None]:
    """Compute in the block as the loss of the model does.

    accelerate runs the loss of a bfloat16 model under autocast, which rounds its float32 adapter to bfloat16.
    DeepSpeed trains the adapter in bfloat16 itself, and autocasts nothing.
    """
    adapter = next((weight for name, weight in model.named_parameters() if "lora_" in name), None)
    if model.dtype != torch.bfloat16 or (adapter is not None and adapter.dtype == torch.bfloat16):
        yield
        return
    # PEFT would cast each input to the adapter's float32, for autocast to round it back to the very same bfloat16.
    with torch.autocast(model.device.type, torch.bfloat16), disable_input_dtype_casting(model):
        yield
