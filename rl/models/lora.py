"""LoRA: the adapter's configuration for PEFT, and continuing from an earlier adapter."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.tuners_utils import check_target_module_exists
from torch import nn
from torch.nn import Linear
from transformers import PreTrainedModel

from rl.common.digest import model_digests
from rl.common.errors import UserError
from rl.config.model import AdapterConfig
from rl.models.load import model_path
from rl.models.saved_adapter import SETTINGS, WEIGHTS, load_weights, read_settings, read_weights

START_SETTINGS = {
    "r": "r",
    "lora_alpha": "alpha",
    "use_rslora": "use_rslora",
    "use_dora": "use_dora",
    "alpha_pattern": None,
    "rank_pattern": None,
}
"""PEFT's settings that decide what an adapter's tensors do -> ours; None where Heed has PEFT's default only."""


def lora_config(lora: AdapterConfig) -> LoraConfig:
    """Return PEFT's configuration of the adapter."""
    targets = lora.target_modules
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        exclude_modules=None if lora.exclude_modules is None else list(lora.exclude_modules),
        layers_to_transform=None if lora.layers is None else list(lora.layers),
        use_rslora=lora.use_rslora,
        use_dora=lora.use_dora,
        task_type="CAUSAL_LM",
    )


def check_targets(model: PreTrainedModel, lora: AdapterConfig) -> None:
    """Raise UserError for modules or layers to adapt that the model lacks, which PEFT ignores, or its output layer."""
    modules, head = dict(model.named_modules()), model.get_output_embeddings()
    layers = (name for name, module in modules.items() if isinstance(module, Linear) and module is not head)
    linear = sorted({name.rpartition(".")[2] for name in layers})
    targets = tuple(linear) if lora.target_modules == "all-linear" else lora.target_modules

    def adapted(**change: Any) -> list[str]:
        settings = lora_config(lora.model_copy(update={"target_modules": targets, **change}))
        return [name for name in modules if check_target_module_exists(settings, name)]

    single = [(targets, targets)] if isinstance(targets, str) else [(name, (name,)) for name in targets]
    if absent := [name for name, target in single if not adapted(target_modules=target, exclude_modules=None)]:
        raise UserError(
            f"lora.target_modules: the model has no module {', '.join(absent)}"
            f"{'' if lora.layers is None else ' in lora.layers'}; its linear modules are {', '.join(linear)}"
        )
    if absent := [str(layer) for layer in lora.layers or () if not adapted(layers=(layer,))]:
        raise UserError(
            f"lora.layers: the model has no module of lora.target_modules in layer {', '.join(absent)}; it has "
            f"{model.config.num_hidden_layers} layers, numbered from 0"
        )
    excluded = lora.exclude_modules or ()
    if absent := [name for name in excluded if not adapted(target_modules=(name,), exclude_modules=None)]:
        raise UserError(
            f"lora.exclude_modules: the model has no module {', '.join(absent)} to leave out; its linear modules are "
            f"{', '.join(linear)}"
        )
    if not adapted():
        raise UserError("lora.exclude_modules leaves out every module of lora.target_modules; name fewer")
    if heads := [name for name in adapted() if modules[name] is head]:
        raise UserError(
            f"lora.target_modules names the output layer {heads[0]}, which the loss reads without an adapter; "
            "leave it out"
        )


def start_from(policy: PeftModel, adapter: Path, base: str) -> None:
    """Load an earlier adapter's weights into the policy's fresh one; `base` is the name of the policy's base model.

    Raises UserError when the folder holds no adapter, or one with other settings, modules or another base model.
    """
    check_start(adapter)
    source = f"lora.start={adapter}"
    check_base(read_settings(adapter).get("base_model_name_or_path"), base, source=source)
    load_earlier(policy, "default", adapter, source=source)


@contextmanager
def zeroed_adapters(policy: nn.Module) -> Iterator[None]:
    """Make the policy its base model for the block, by zeros in the second matrix of every LoRA pair.

    Not for DoRA, which rescales the base model's weights besides.
    """
    weights = [
        weight for name, weight in policy.named_parameters() if ".lora_B." in name or ".lora_embedding_B." in name
    ]
    kept = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight in weights:
            weight.zero_()
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, values in zip(weights, kept, strict=True):
                weight.copy_(values)


def check_start(adapter: Path) -> None:
    """Raise UserError when the folder that `lora.start` names holds no adapter."""
    if not all((adapter / file).is_file() for file in (SETTINGS, WEIGHTS)):
        raise UserError(f"lora.start={adapter} has no {SETTINGS} and {WEIGHTS}")


def load_earlier(policy: PeftModel, name: str, adapter: Path, *, source: str) -> None:
    """Load saved weights into the policy's adapter `name`. Raises UserError unless they do there what they did before.

    `source` says in errors where they come from.
    """
    saved = read_settings(adapter)
    ours = policy.peft_config[name].to_dict()
    for key, setting in START_SETTINGS.items():
        default = getattr(LoraConfig(), key)
        if saved.get(key, default) != ours[key]:
            advice = "set it alike" if setting else "which no setting of Heed gives"
            advice += (
                ", or merge it into the base model (heed export RUN --merge default -o MODEL) and set model.name=MODEL"
            )
            raise UserError(
                f"{source} was trained with {f'lora.{setting}' if setting else key}={saved.get(key, default)}, "
                f"got {ours[key]}; {advice}"
            )
    load_weights(policy, read_weights(adapter), source=source, name=name)


def check_base(trained_on: str | None, base: str, *, source: str) -> None:
    """Raise UserError unless two names, or the files in the folders that they name, are of the same base model."""
    if not trained_on or trained_on in (base, model_path(base)):
        return
    folders = Path(trained_on).expanduser(), Path(model_path(base))
    if all(folder.is_dir() for folder in folders):
        ours, theirs = (model_digests(folder) for folder in folders)
        if ours == theirs:
            return
    raise UserError(
        f"{source} was trained on the base model {trained_on}, and model.name={base}; set model.name to it, or, "
        f"if they are the same model, write {base} there as the base model"
    )
