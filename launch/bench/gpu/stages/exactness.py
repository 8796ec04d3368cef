"""Stage: the probe's readings by each attention kernel, against eager attention in float32 on the CPU."""

import copy
from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import sdpa_kernel
from transformers import PreTrainedModel

from attention_probes.plan import ProbePlan
from attention_probes.record import Readings, record_attention
from launch.bench.gpu.kernels import KERNELS, CalledKernels, refusal
from launch.bench.gpu.models import LLAMA, padded_batch, random_model, shape_config
from launch.bench.gpu.stage import Row, Setup

LAYERS, LENGTH, VOCABULARY = 3, 200, 512
LOGIT_VARIANCE = 1.5
"""Random weights that are smaller would attend to everything alike, which any kernel gets right."""
PADDING = {"none": [(0, 0), (0, 0)], "both sides": [(37, 0), (5, 23)]}
PLAN = ProbePlan(layers=tuple(range(LAYERS)), window=10, horizon=(10, 100))
TOLERANCES = {torch.bfloat16: 2e-2, torch.float32: 1e-4}
"""Of a share of attention, 0 to 1."""
GRADIENT_TOLERANCE = 1e-2
"""Of the gradient's norm. The kernels' backward passes do not repeat to the last bit, so that they cannot be equal."""

Batch = dict[str, Tensor]


def measure(setup: Setup) -> Iterator[Row]:
    """Yield the gaps of each kernel, in both number formats, with padding and without, with gradients and without."""
    choices = list(product(KERNELS, (False, True)))
    for dtype in TOLERANCES:
        config = shape_config(LLAMA, on_gpu=setup.on_gpu, num_hidden_layers=LAYERS, vocab_size=VOCABULARY)
        config.initializer_range = (LOGIT_VARIANCE / config.hidden_size) ** 0.5
        model = random_model(config, setup.device, dtype)
        eager = copy.deepcopy(model).float().cpu()
        eager.set_attn_implementation("eager")
        for padding, rows in PADDING.items():
            batch = padded_batch(config.vocab_size, LENGTH, rows, setup.device)
            expected = recorded(eager, {name: tensor.cpu() for name, tensor in batch.items()})[1]
            where = {"dtype": str(dtype).removeprefix("torch."), "padding": padding}
            for kernel, backward in choices:
                row = kernel_row(kernel, model, batch, expected, backward=backward)
                yield {"kernel": kernel, **where, "backward": backward} | row


def kernel_row(kernel: str, model: PreTrainedModel, batch: Batch, expected: Readings, *, backward: bool) -> Row:
    """Return how far readings are from the expected, and whether recording left outputs and gradients as they are."""
    try:
        with sdpa_kernel(KERNELS[kernel]), torch.set_grad_enabled(backward), CalledKernels() as called:
            plain = hidden_states(model, batch)
            output, readings = recorded(model, batch)
            gradients = gradient_gaps(model, batch) if backward else {}
    except RuntimeError as error:
        return refusal(kernel, error)
    # Of padding a kernel may make NaN, which does not equal itself.
    plain, output = (states.masked_fill(padding_of(batch), 0.0) for states in (plain, output))
    gaps, unchanged = reading_gaps(readings.cpu(), expected), torch.equal(plain, output)
    row: Row = {"called": str(called), **gaps, "output_unchanged": unchanged, **gradients}
    tolerance = TOLERANCES[model.dtype]
    if not plain.isfinite().all():
        row["finding"] = f"the outputs of {kernel} attention in {model.dtype} are not finite"
    elif not unchanged:
        row["finding"] = f"recording changes the outputs of {kernel} attention in {model.dtype}"
    elif not all(gap <= tolerance for gap in gaps.values()):  # NaN must be one, too
        row["finding"] = f"readings of {kernel} attention in {model.dtype} are off by {gaps}, more than {tolerance}"
    elif not gradients.get("gradient_gap", 0.0) <= GRADIENT_TOLERANCE:
        row["finding"] = f"recording changes the gradients of {kernel} attention in {model.dtype}"
    return row


def hidden_states(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Return the states after the last layer; the output layer has no attention to read."""
    return model.get_decoder()(**batch, use_cache=False).last_hidden_state


def recorded(model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Readings]:
    """Return the states of a recorded pass, and its readings, the attention to halves of the text among them."""
    length = batch["input_ids"].shape[1]
    first_half = torch.arange(length, device=model.device) < length // 2
    spans = torch.stack([first_half, ~first_half]).expand(len(batch["input_ids"]), -1, -1)
    with record_attention(model, PLAN, spans=spans) as recorder:
        states = hidden_states(model, batch)
    return states, recorder.read()


def reading_gaps(readings: Readings, expected: Readings) -> dict[str, float]:
    """Return the largest gap of each kind of reading; the distance as a share of its window."""
    assert readings.span_mass is not None and expected.span_mass is not None
    gaps = {
        "fai": readings.fai - expected.fai,
        "waad": (readings.waad - expected.waad) / PLAN.window,
        "span_mass": readings.span_mass - expected.span_mass,
    }
    return {name: gap.abs().max().item() for name, gap in gaps.items()}


def gradient_gaps(model: PreTrainedModel, batch: Batch) -> dict[str, float]:
    """Return how far the gradient of a recorded pass, and of a repeated one, are from a plain pass's, by its norm."""
    decoder: Any = model.get_decoder()
    weight = decoder.layers[0].self_attn.q_proj.weight
    plain, again, read = (
        torch.autograd.grad(states.float().square().masked_fill(padding_of(batch), 0.0).mean(), weight)[0].float()
        for states in (hidden_states(model, batch), hidden_states(model, batch), recorded(model, batch)[0])
    )
    norm = plain.norm()
    return {
        "gradient_gap": ((read - plain).norm() / norm).item(),
        "gradient_gap_repeated": ((again - plain).norm() / norm).item(),
    }


def padding_of(batch: Batch) -> Tensor:
    return batch["attention_mask"][..., None] == 0
