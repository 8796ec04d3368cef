"""Gates: how much of each named LoRA adapter every sample of a batch gets.

PEFT adds scaling[name] * B A x for each active adapter. A gate multiplies that scaling, one value a sample, so that the
gradient reaches whatever made the gates.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from jaxtyping import Float
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

# Axes: B samples in the batch, N adapters.


@contextmanager
def gated(model: PeftModel, names: Sequence[str], gates: Float[Tensor, "B N"]) -> Iterator[None]:
    """Within it, sample b of every forward pass gets the sum over n of gates[b, n] times adapter names[n].

    Passes under `model.disable_adapter()` stay those of the base. With gradient checkpointing the backward pass belongs
    inside too: it runs the layers again. Active adapters and scalings are as before afterwards, also after an error.

    Raises ValueError for adapters that the model lacks, for a name given twice, for gates of another shape, for merged
    adapters, for DoRA and for reentrant gradient checkpointing; and, in the forward pass, for a batch of other than B.
    """
    _check_names(model, names)
    if gates.ndim != 2 or gates.shape[1] != len(names):
        raise ValueError(f"gates have shape {tuple(gates.shape)}; {len(names)} adapters need (samples, {len(names)})")
    _refuse_reentrant_checkpointing(model)
    layers = _lora_layers(model)
    for module, layer in layers:
        _check_layer(module, layer)
    with ExitStack() as undo:
        undo.enter_context(_active(model, names))
        for _, layer in layers:
            undo.enter_context(_scaled(layer, names, gates))
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


def _check_layer(module: str, layer: LoraLayer) -> None:
    if getattr(layer, "merged", False):
        raise ValueError(f"{module} has merged adapters, which no gate reaches: call unmerge_adapter() first")
    if layer.lora_variant:
        raise ValueError(
            f"{module} is a LoRA variant (such as DoRA), whose output is not linear in a gate: use plain LoRA"
        )


def _refuse_reentrant_checkpointing(model: nn.Module) -> None:
    """Reentrant checkpointing runs backward once a block, and the gates' graph is gone after the first."""
    for name, module in model.named_modules():
        if not getattr(module, "gradient_checkpointing", False):
            continue
        options = getattr(getattr(module, "_gradient_checkpointing_func", None), "keywords", {})
        # torch's own default where nothing is said is reentrant.
        if options.get("use_reentrant", True):
            raise ValueError(
                f"{name} uses reentrant gradient checkpointing, which cannot pass gradients to gates: "
                "set use_reentrant=False, or turn gradient checkpointing off"
            )


@contextmanager
def _active(model: PeftModel, names: Sequence[str]) -> Iterator[None]:
    """The named adapters active, with every parameter's requires_grad left alone (PEFT's own switch changes it)."""
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
def _scaled(layer: LoraLayer, names: Sequence[str], gates: Float[Tensor, "B N"]) -> Iterator[None]:
    """One layer's scalings times the gates; a layer that an adapter does not target has no scaling of that name."""
    before = dict(layer.scaling)
    for index, name in enumerate(names):
        if name in before:
            layer.scaling[name] = _like_weights(layer, name, before[name] * gates[:, index]).view(-1, 1, 1)
    assert isinstance(layer, nn.Module)  # LoraLayer is a mixin
    check = layer.register_forward_pre_hook(_batch_check(gates.shape[0]))
    try:
        yield
    finally:
        check.remove()
        layer.scaling.clear()
        layer.scaling.update(before)


def _like_weights(layer: LoraLayer, name: str, scaling_B: Tensor) -> Tensor:
    weight = layer.lora_B[name].weight
    assert isinstance(weight, Tensor)
    return scaling_B.to(device=weight.device, dtype=weight.dtype)


def _batch_check(samples: int):
    def check(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # Any other shape would broadcast silently.
        shape = tuple(inputs[0].shape)
        if len(shape) != 3 or shape[0] != samples:
            raise ValueError(
                f"a layer got inputs of shape {shape}; gates of {samples} samples need ({samples}, tokens, width)"
            )

    return check
