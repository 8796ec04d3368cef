"""Saved adapter: PEFT's files of one LoRA adapter, loaded into a model with every tensor in its place, or refused."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from safetensors import SafetensorError
from torch import Tensor
from transformers import PreTrainedModel

from rl.common.errors import UserError
from rl.models.finite import load_finite

SETTINGS = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


def read_settings(adapter: Path) -> dict[str, Any]:
    """Read an adapter's PEFT settings. Raises UserError when they are damaged."""
    path = adapter / SETTINGS
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); restore it, or resume the run to write it anew") from error


def read_weights(adapter: Path) -> dict[str, Tensor]:
    """Read an adapter's tensors. Raises UserError when they are damaged or not finite."""
    path = adapter / WEIGHTS
    try:
        return load_finite(path)
    except SafetensorError as error:
        raise UserError(f"{path} is damaged ({error}); restore it, or resume the run to write it anew") from error


def adapted(model: PreTrainedModel, adapter: Path, weights: Mapping[str, Tensor] | None = None) -> PeftModel:
    """Return the base model with a saved adapter on it, in eval mode; `weights` are its tensors if read already.

    Raises UserError when the adapter was made for a model of other modules or shapes.
    """
    read_settings(adapter)  # PEFT's own error for a damaged file names none
    settings = LoraConfig.from_pretrained(str(adapter))
    settings.base_model_name_or_path = None  # PEFT warns when the model was loaded under another name
    policy = get_peft_model(model, settings)
    assert isinstance(policy, PeftModel)
    load_weights(policy, read_weights(adapter) if weights is None else weights, source=adapter)
    return policy.eval()


def load_weights(policy: PeftModel, weights: Mapping[str, Tensor], *, source: object, name: str = "default") -> None:
    """Load saved tensors into the policy's adapter `name`; `source` says in errors where they come from.

    Raises UserError, naming the first that does not fit, unless they are all its tensors and no others: PEFT leaves
    what it does not find as it was, so that an adapter may change nothing.
    """
    try:
        loaded = set_peft_model_state_dict(policy, dict(weights), adapter_name=name)
    except RuntimeError as error:  # torch's, whose lines after the first name a tensor and both shapes
        raise UserError(f"{source} does not fit the model's adapter: {str(error).splitlines()[1].strip()}") from error
    of_adapter = re.compile(rf"(\.lora_\w+)\.{re.escape(name)}\b")  # a file's names lack the adapter's
    missing = [of_adapter.sub(r"\1", key) for key in loaded.missing_keys if of_adapter.search(key)]
    lists = {"has no tensor": missing, "has one that the model lacks,": loaded.unexpected_keys}
    if reasons := [f"it {words} {keys[0]}{_and_more(keys)}" for words, keys in lists.items() if keys]:
        raise UserError(
            f"{source} does not fit the model's adapter: {'; '.join(reasons)}. It was made for another base model, or "
            "with other modules or layers"
        )


def _and_more(keys: list[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
