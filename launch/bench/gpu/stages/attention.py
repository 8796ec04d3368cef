"""Stage: NaN of attention kernels in padded batches, with cuDNN's and without, and which kernel our calls get."""

from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn.attention import sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from transformers import DynamicCache, PreTrainedModel

from launch.bench.gpu.kernels import CUDNN_FIRST, KERNELS, CalledKernels, refusal
from launch.bench.gpu.models import QWEN, SHAPES, padded_batch, random_model, shape_config
from launch.bench.gpu.stage import Row, Setup
from rl.common.attention_kernels import choose_attention_kernels

LENGTHS = (576, 512)
"""The first leaves 64 when divided by 128, where cuDNN's backward pass gives NaN (pytorch #196678)."""
ROWS, HEADS, HEAD_SIZE = 4, 16, 64


def measure(setup: Setup) -> Iterator[Row]:
    """Yield NaN by kernel, mask and length, NaN of a model's gradients, and the kernels of a model's usual calls."""
    allowed = choose_attention_kernels()
    lengths = LENGTHS if setup.on_gpu else (192, 128)
    for length in lengths:
        for mask in ("boolean", "additive"):
            for kernel in KERNELS:
                yield kernel_row(kernel, mask, length, setup.device, in_use=kernel in allowed)
    for cudnn in (True, False):
        yield model_row(setup, lengths[0], cudnn=cudnn)
    for name in SHAPES:
        yield {"shape": name} | usual_calls(name, setup)


def kernel_row(kernel: str, mask: str, length: int, device: str, *, in_use: bool) -> Row:
    """Return how many values and gradients of one kernel are NaN, with left padding that is fully masked."""
    row: Row = {"kernel": kernel, "mask": mask, "length": length}
    try:
        with sdpa_kernel(KERNELS[kernel]):
            outputs, gradients = nan_counts(mask, length, device)
    except RuntimeError as error:
        return row | refusal(kernel, error)
    row |= {"nan_outputs": outputs, "nan_gradients": gradients}
    if in_use and (outputs or any(gradients.values())):
        row["finding"] = f"{kernel} attention, which runs use, gives NaN at length {length} with a {mask} mask"
    return row


def nan_counts(mask: str, length: int, device: str) -> tuple[int, dict[str, int]]:
    """Return the NaN in the outputs of real tokens, and in the gradients of queries, keys and values.

    Rows begin with 0 to three quarters of padding, whose outputs the loss leaves out, as training does.
    """
    generator = torch.Generator().manual_seed(0)
    query, key, value = inputs = [
        torch.randn(ROWS, HEADS, length, HEAD_SIZE, generator=generator).to(device, torch.bfloat16).requires_grad_()
        for _ in range(3)
    ]
    padding = torch.arange(ROWS, device=device) * length // ROWS
    real_BS = torch.arange(length, device=device) >= padding[:, None]
    output = scaled_dot_product_attention(query, key, value, attn_mask=attention_mask(real_BS, mask))
    output = output.float().masked_fill(~real_BS[:, None, :, None], 0.0)
    output.square().sum().backward()
    gradients = [num_nan(tensor.grad) for tensor in inputs]
    return num_nan(output.detach()), dict(zip(("query", "key", "value"), gradients, strict=True))


def attention_mask(real_BS: Tensor, kind: str) -> Tensor:
    """Return the mask (B, 1, S, S) that transformers makes: causal, and nothing attends to padding."""
    causal_SS = torch.ones(real_BS.shape[1], real_BS.shape[1], dtype=torch.bool, device=real_BS.device).tril()
    allowed = causal_SS & real_BS[:, None, None, :] & real_BS[:, None, :, None]
    if kind == "boolean":
        return allowed
    return torch.zeros_like(allowed, dtype=torch.bfloat16).masked_fill(~allowed, torch.finfo(torch.bfloat16).min)


def num_nan(tensor: Tensor | None) -> int:
    assert tensor is not None
    return int(tensor.isnan().sum())


def model_row(setup: Setup, length: int, *, cudnn: bool) -> Row:
    """Return the NaN in the gradients of two layers on a left-padded batch, with cuDNN's attention or without."""
    choose_attention_kernels()
    model = two_layers(QWEN, setup)
    batch = padded_batch(model.config.vocab_size, length, [(0, 0), (length // 2, 0)], setup.device)
    with sdpa_kernel(CUDNN_FIRST, set_priority=True) if cudnn else nullcontext(), CalledKernels() as called:
        hidden = model.get_decoder()(**batch, use_cache=False).last_hidden_state
    loss = hidden.float().square().masked_fill(batch["attention_mask"][..., None] == 0, 0.0).mean()
    loss.backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    bad = [name for name, gradient in gradients.items() if num_nan(gradient)]
    row: Row = {
        "model": QWEN,
        "cudnn": "on" if cudnn else "off",
        "length": length,
        "kernel": str(called),
        "loss": loss.item(),
        "tensors": len(gradients),
        "nan_tensors": len(bad),
        "nan_gradients": sum(map(num_nan, gradients.values())),
    }
    if bad and not cudnn:
        row["finding"] = f"gradients are NaN without cuDNN's attention, too: {bad[0]}"
    return row


def two_layers(name: str, setup: Setup) -> PreTrainedModel:
    """Return a model with two layers of a known shape and few tokens."""
    config = shape_config(name, on_gpu=setup.on_gpu, num_hidden_layers=2, vocab_size=512)
    return random_model(config, setup.device, torch.bfloat16)


@torch.no_grad()
def usual_calls(name: str, setup: Setup) -> dict[str, str]:
    """Return the attention kernel of each of our usual calls, by a two-layer model of a known shape."""
    model = two_layers(name, setup)
    decoder, kernels = model.get_decoder(), {}
    for padding in ("full", "padded"):
        batch = padded_batch(model.config.vocab_size, 96, [(0, 0), (0 if padding == "full" else 32, 0)], setup.device)
        with torch.enable_grad(), CalledKernels() as called:
            decoder(**batch, use_cache=False)
        kernels[f"train {padding}"] = str(called)
        cache = DynamicCache(config=model.config)
        prompt = {key: value[:, :-1] for key, value in batch.items()}
        with CalledKernels() as called:
            decoder(**prompt, past_key_values=cache)
        kernels[f"prefill {padding}"] = str(called)
        with CalledKernels() as called:
            decoder(batch["input_ids"][:, -1:], attention_mask=batch["attention_mask"], past_key_values=cache)
        kernels[f"decode {padding}"] = str(called)
    return kernels
