"""Loading a model and its tokenizer by name: from the hub, from a folder, built in, or `tiny`."""

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from types import SimpleNamespace
from typing import Any, Literal

import httpx2
import torch
import transformers
from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.trainer_utils import align_special_tokens

from attention_probes.calibration import Calibration
from attention_probes.errors import ProbeError
from attention_probes.sink_calibrator import calibrate
from rl.common.attention_kernels import choose_attention_kernels
from rl.common.cache import build_once
from rl.common.cpu import cpu_words, gains_by_bf16
from rl.common.device import process_device
from rl.common.errors import UserError
from rl.common.model_names import TINY
from rl.config.model import ModelConfig, no_bfloat16
from rl.models.answers import configured_tags, set_reasoning
from rl.models.builtin import BUILTIN, fetch, is_builtin
from rl.models.chat_template import bind_template
from rl.models.quantization import four_bit_options, keep_one_kernel
from rl.models.saved_adapter import SETTINGS, read_settings
from rl.models.tiny import tiny_model, tiny_tokenizer

LOAD_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,
    ImportError,
    UnpicklingError,
    SafetensorError,
    httpx2.HTTPError,
    HFValidationError,
)
"""What transformers, the hub and the readers of weights raise for a model that cannot be loaded."""

__all__ = [
    "configured_tokenizer",
    "end_token_ids",
    "is_builtin",
    "load_base_model",
    "load_model",
    "load_tokenizer",
    "model_path",
    "resolve_dtype",
    "saved_end_token_ids",
]


def model_path(name: str) -> str:
    """Return the path from which transformers, vLLM or plain PEFT load a model: a folder, or the hub name unchanged.

    The built-in model is fetched if it must be. Raises UserError for a folder that holds no model.
    """
    if is_builtin(name):
        return str(fetch())
    if name == TINY:
        # The versions are in the name because they decide which weights a seed gives.
        return str(build_once(f"{TINY}-{transformers.__version__}-{torch.__version__}", _save_tiny))
    if _is_folder(name):
        return str(_checked_folder(Path(name).expanduser()))
    return name


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer; one without a pad token pads with its end-of-sequence token.

    Raises UserError for one without an end-of-sequence token.
    """
    tokenizer = tiny_tokenizer() if name == TINY else _load(AutoTokenizer, name)
    if tokenizer.eos_token is None:
        raise UserError(
            f"model {name}: its tokenizer has no end-of-sequence token, so no answer would end; name one as eos_token "
            "in the tokenizer_config.json of a local copy"
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def configured_tokenizer(model: ModelConfig) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a run's model: its template has the configured values, its completions a thought or none.

    Whatever renders a prompt or judges a completion takes it from here. Raises UserError for a value that the template
    does not read, and for tags that cannot be found.
    """
    tokenizer = load_tokenizer(model.name)
    bind_template(tokenizer, model.chat_template_kwargs, model=model.name)
    if model.reasoning is not None:
        set_reasoning(tokenizer, configured_tags(tokenizer, model.reasoning))
    return tokenizer


def load_model(
    name: str,
    *,
    dtype: torch.dtype = torch.float32,
    quantization: Literal["4bit"] | None = None,
    attn_implementation: str | None = None,
    device: torch.device | str | None = None,
) -> PreTrainedModel:
    """Load a causal language model, in eval mode, on this process's device unless another is given.

    Its tokenizer's end token ends its answers too: transformers' trainer aligns the special tokens when training
    begins; done here, answers end at the same tokens before, during and after training, and in every worker.
    Its `name_or_path` is `name`, which PEFT writes into every adapter as the base model; a cache path would be useless.
    """
    choose_attention_kernels()
    device = device or process_device()
    if name == TINY and not quantization:
        model = tiny_model().eval()
        torch.nn.Module.to(model, dtype)  # transformers wraps `to` in a decorator that hides its types
        if attn_implementation is not None:
            model.set_attn_implementation(attn_implementation)
    else:
        options: dict[str, Any] = {"dtype": dtype, "attn_implementation": attn_implementation}
        options |= four_bit_options(dtype, device) if quantization else {}
        model, info = _load(AutoModelForCausalLM, name, output_loading_info=True, **options)
        _check_complete(name, info)
        keep_one_kernel(model)
    align_special_tokens(model, load_tokenizer(name))
    model.name_or_path = model.config._name_or_path = name
    torch.nn.Module.to(model, device)
    return model


def load_base_model(settings: ModelConfig) -> PreTrainedModel:
    """Load the base model of a config, quantized and with its attention calibrated if the config says so.

    Raises UserError for a calibration that is missing or of another model.
    """
    model = load_model(settings.name, dtype=resolve_dtype(settings.dtype), quantization=settings.quantization)
    if (path := settings.calibration) is not None:
        try:
            calibrate(model, Calibration.load(path))
        except (OSError, ProbeError, json.JSONDecodeError) as error:
            raise UserError(f"model.calibration={path}: {error}") from error
    return model


def _check_complete(name: str, info: Mapping[str, Any]) -> None:
    """Raise UserError for a model whose files lack tensors: transformers draws them at random, and warns."""
    if missing := sorted(info["missing_keys"]):
        raise UserError(
            f"model {name} could not be loaded: its files lack {len(missing)} of its tensors, such as {missing[0]}; "
            f"they are incomplete, or of another architecture than config.json says. {_advice(name)}"
        )


def end_token_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return the tokens that end an answer: those of the model's generation settings, or else the tokenizer's."""
    assert model.generation_config is not None
    return _end_tokens(model.generation_config, tokenizer)


def _end_tokens(generation: GenerationConfig, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    ends: Any = generation.eos_token_id
    ends = tokenizer.eos_token_id if ends is None else ends
    return set(ends) if isinstance(ends, list) else {ends}


def saved_end_token_ids(name: str) -> set[int]:
    """Return the tokens that end a model's answers once it is loaded, from its files without the weights."""
    config, tokenizer = _load(AutoConfig, name), load_tokenizer(name)
    try:
        generation = GenerationConfig.from_pretrained(model_path(name))
    except OSError:  # older models have none
        generation = GenerationConfig.from_model_config(config)
    model: Any = SimpleNamespace(config=config, generation_config=generation)
    align_special_tokens(model, tokenizer)
    return _end_tokens(generation, tokenizer)


def resolve_dtype(setting: Literal["auto", "float32", "bfloat16"]) -> torch.dtype:
    """Return the dtype of a setting; `auto` is bfloat16 where the hardware gains by it, else float32.

    Emulated bfloat16 was several times slower than float32 on an AVX2 machine. Raises UserError for bfloat16 on a GPU
    without it; a CPU emulates it.
    """
    on_gpu = torch.cuda.is_available()
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu else gains_by_bf16(cpu_words())
    if setting == "bfloat16" and on_gpu and not has_bf16:
        raise UserError(no_bfloat16(torch.cuda.get_device_name(process_device())))
    if setting == "auto":
        return torch.bfloat16 if has_bf16 else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[setting]


def _save_tiny(folder: Path) -> None:
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)


def _is_folder(name: str) -> bool:
    """Whether `name` means a folder: it exists, or is spelt like a path rather than like `owner/name`."""
    return Path(name).expanduser().exists() or name.startswith((".", "~", os.sep)) or name.count("/") > 1


def _checked_folder(folder: Path) -> Path:
    expected = f"model {folder}: expected a folder written by save_pretrained, but it"
    if folder.suffix == ".gguf" or (any(folder.glob("*.gguf")) and not (folder / "config.json").is_file()):
        raise UserError(f"{expected} is GGUF's; load it with transformers (gguf_file=) and save it so")
    if folder.is_file():
        raise UserError(f"{expected} is a file")
    if not folder.is_dir():
        raise UserError(f"model {folder}: there is no such folder")
    if not (folder / "config.json").is_file():
        is_adapter = (folder / SETTINGS).is_file()
        raise UserError(f"{expected} holds {_adapter_advice(folder) if is_adapter else 'no config.json'}")
    return folder


def _adapter_advice(folder: Path) -> str:
    base = read_settings(folder).get("base_model_name_or_path") or "its base model"
    return f"a PEFT adapter: set model.name={base}, and lora.start to the adapter to train it on"


def _load(loader: Any, name: str, **options: Any) -> Any:
    path = model_path(name)
    try:
        if path == name and not _is_folder(name):
            _check_hub(name)
        return loader.from_pretrained(path, trust_remote_code=False, **options)
    except torch.OutOfMemoryError:
        raise
    except LOAD_ERRORS as error:
        raise UserError(f"model {name} could not be loaded: {_reason(error)}. {_advice(name)}") from error


def _reason(error: Exception) -> str:
    """Return what happened in a line; transformers and the hub write several paragraphs, of which it is the first."""
    if isinstance(error, UnpicklingError):
        return "its .bin file is damaged or holds code beside tensors, which is never run; save it as safetensors"
    if isinstance(error, SafetensorError):
        return f"a .safetensors file of it is damaged ({error})"
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")


def _check_hub(name: str) -> None:
    """Fail at once, instead of after a minute of retries, for a model that neither the cache nor the hub has."""
    if not isinstance(try_to_load_from_cache(name, "config.json"), str):
        HfApi().model_info(name, timeout=10)


def _advice(name: str) -> str:
    if near := difflib.get_close_matches(name, [BUILTIN, TINY], n=1, cutoff=0.7):
        return f"Did you mean the built-in {near[0]}?"
    if _is_folder(name):
        return "Expected a folder written by save_pretrained"
    folder = f"There is no folder {Path(name).absolute()}, and b" if Path(name).parent.is_dir() else "B"
    return f"{folder}uilt in are {BUILTIN} and {TINY}; to fetch another, run `hf download {name}` with a network"
