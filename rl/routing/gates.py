"""Gates: the weight of each named LoRA adapter in every sample of a batch.

PEFT adds scaling[name] * B A x for each active adapter. A gate multiplies that scaling, one value a sample, so that the
gradient reaches whatever computed the gates. Several adapters are computed as one of all their ranks together, with the
gates between A and B: the cost grows with the ranks, not with the number of adapters.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Float
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn.functional import linear

from rl.common.errors import UserError

# Axes: B samples in the batch, N adapters, T tokens, D inputs and E outputs of a layer.


@contextmanager
def gated(model: PeftModel, names: Sequence[str], gates: Float[Tensor, "B N"]) -> Iterator[None]:
    """Give sample b of every forward pass in the block the sum over n of gates[b, n] times adapter names[n].

    Passes under `model.disable_adapter()` stay those of the base. With gradient checkpointing the backward pass belongs
    inside the block, too: it runs the layers again. Layers and active adapters are restored afterwards, also after an
    error.

    Raises ValueError for adapters that the model lacks, for a name given twice, for gates of another shape, for merged
    adapters, for adapters of embeddings and convolutions, for DoRA, for LoRA biases, for dropouts that differ and for
    reentrant gradient checkpointing; and, in the forward pass, for a batch of other than B.
    """
    _check_names(model, names)
    if gates.ndim != 2 or gates.shape[1] != len(names):
        raise ValueError(f"gates have shape {tuple(gates.shape)}; {len(names)} adapters need (samples, {len(names)})")
    _refuse_reentrant_checkpointing(model)
    layers = _lora_layers(model)
    for module, layer in layers:
        _check_layer(module, layer, names)
    with ExitStack() as undo:
        undo.enter_context(_active(model, names))
        for _, layer in layers:
            undo.enter_context(_mixing(layer, names, gates))
        yield


def _lora_layers(model: PeftModel) -> list[tuple[str, LoraLayer]]:
    return [(name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer)]


def _check_names(model: PeftModel, names: Sequence[str]) -> None:
    known = sorted(model.peft_config)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no adapter {', '.join(map(repr, unknown))} in the model; it has {', '.join(known)}")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"adapters {list(names)}: gates need at least one, and each once")


def _check_layer(module: str, layer: LoraLayer, names: Sequence[str]) -> None:
    if getattr(layer, "merged", False):
        raise ValueError(f"{module} has merged adapters, which gates do not reach: call unmerge_adapter() first")
    if layer.lora_variant:
        raise UserError(
            f"{module} is a LoRA variant (such as DoRA), whose output is not linear in a gate: use plain LoRA"
        )
    if layer.lora_embedding_A or not all(isinstance(one, nn.Linear) for one in layer.lora_A.values()):
        raise UserError(f"{module} is no linear layer, and gates mix only those: leave it out of target_modules")
    if any(layer.lora_bias.values()):
        raise UserError(f"{module} has adapters with a bias, which gates leave out: set lora_bias=False")
    dropouts = {getattr(layer.lora_dropout[name], "p", 0.0) for name in _adapters_on(layer, names)}
    if len(dropouts) > 1:
        raise UserError(f"{module} has adapters with dropouts {sorted(dropouts)}, which share their input: set one")


def _refuse_reentrant_checkpointing(model: nn.Module) -> None:
    """Refuse reentrant checkpointing: it runs backward once a block, and the gates' graph is freed after the first."""
    for name, module in model.named_modules():
        if not getattr(module, "gradient_checkpointing", False):
            continue
        options = getattr(getattr(module, "_gradient_checkpointing_func", None), "keywords", {})
        # torch's default is reentrant.
        if options.get("use_reentrant", True):
            raise UserError(
                f"{name} uses reentrant gradient checkpointing, which cannot pass gradients to gates: "
                "set use_reentrant=False, or turn gradient checkpointing off"
            )


@contextmanager
def _active(model: PeftModel, names: Sequence[str]) -> Iterator[None]:
    """Activate the named adapters without changing any requires_grad, as PEFT's own switch would."""
    layers = [layer for _, layer in _lora_layers(model)]
    before = [layer._active_adapter for layer in layers]
    for layer in layers:
        layer._active_adapter = list(names)
    try:
        yield
    finally:
        for layer, active in zip(layers, before, strict=True):
            layer._active_adapter = active


@contextmanager
def _mixing(layer: Any, names: Sequence[str], gates: Float[Tensor, "B N"]) -> Iterator[None]:
    """Replace one layer's forward pass by the gated one, if any of the adapters targets the layer."""
    present = _adapters_on(layer, names)
    if not present:
        yield
        return
    replaced = layer.__dict__.get("forward")
    layer.forward = _gated_forward(layer, present, gates[:, [names.index(name) for name in present]], layer.forward)
    try:
        yield
    finally:
        del layer.forward
        if replaced is not None:  # another wrapper's, such as accelerate's
            layer.forward = replaced


def _adapters_on(layer: LoraLayer, names: Sequence[str]) -> list[str]:
    return [name for name in names if name in layer.lora_A]


def _gated_forward(layer: Any, names: Sequence[str], gates: Float[Tensor, "B N"], original: Callable) -> Callable:
    samples, columns = gates.shape[0], _columns(layer, names, gates)

    def forward(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        # Any other shape would broadcast silently.
        if x.ndim != 3 or x.shape[0] != samples:
            raise ValueError(
                f"a layer got inputs of shape {tuple(x.shape)}; gates of {samples} samples need "
                f"({samples}, tokens, width)"
            )
        if layer.disable_adapters:
            return original(x, *args, **kwargs)
        result = layer.base_layer(x, *args, **kwargs)
        return (result + _mixture(layer, names, columns, x)).to(result.dtype)

    return forward


def _columns(layer: Any, names: Sequence[str], gates: Float[Tensor, "B N"]) -> Float[Tensor, "B 1 R"]:
    """Return gates[b, n] * scaling[n], once for each of adapter n's ranks, R in all; for a single adapter only once."""
    weights = [layer.lora_A[name].weight for name in names]
    scaled = torch.stack([layer.scaling[name] * gates[:, index] for index, name in enumerate(names)], dim=1)
    if len(names) > 1:
        ranks = [weight.shape[0] for weight in weights]
        scaled = scaled[:, [index for index, rank in enumerate(ranks) for _ in range(rank)]]
    return scaled.to(device=weights[0].device, dtype=weights[0].dtype)[:, None]


def _mixture(
    layer: Any, names: Sequence[str], columns: Float[Tensor, "B 1 R"], x: Float[Tensor, "B T D"]
) -> Float[Tensor, "B T E"]:
    """Return the sum over n of gates[b, n] * scaling[n] * B_n A_n x, computed in one pair of products."""
    weights_A, weights_B = ([side[name].weight for name in names] for side in (layer.lora_A, layer.lora_B))
    x = layer.lora_dropout[names[0]](layer._cast_input_dtype(x, weights_A[0].dtype))
    if len(names) == 1:  # PEFT's order of operations, so that the bits are the same
        return linear(linear(x, weights_A[0]), weights_B[0]) * columns
    return linear(linear(x, torch.cat(weights_A)) * columns, torch.cat(weights_B, dim=1))
