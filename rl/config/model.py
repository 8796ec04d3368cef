"""Settings of `model` and `lora`: the base model, and the LoRA adapter that is trained on it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from rl.config.types import Positive, Section, TemplateName


class ReasoningConfig(Section):
    """The tags between which a thinking model writes its thought, before its answer."""

    start: str = "<think>"
    end: str = "</think>"


Dtype = Literal["auto", "float32", "bfloat16"]


class ModelConfig(Section):
    """The base model; its weights stay as they are."""

    name: str = "smollm2-135m-instruct"
    """A hub name, a local folder, `smollm2-135m-instruct` (built in) or `tiny` (two random layers, for tests)."""
    dtype: Dtype = "auto"
    """`auto` is bfloat16 where the hardware gains by it, else float32."""
    quantization: Literal["4bit"] | None = None
    """`4bit` keeps the base's linear layers as NF4 and computes in `dtype`; it needs `pip install heed[quantized]`."""
    calibration: Path | None = None
    """A file of `heed probe sinks`, whose heads pay less to attention sinks: in training, sampling and evaluation."""
    chat_template_kwargs: dict[TemplateName, JsonValue] = Field(default_factory=dict)
    """Values for variables of the chat template, as in {enable_thinking: false}; every prompt is rendered with them."""
    reasoning: ReasoningConfig | Literal["auto"] | None = None
    """The tags of a thinking model's thought, or `auto` for those that its chat template names. Verifiers and guards
    then judge the answer behind the thought; a thought without an end has no answer. null takes all of a completion as
    its answer."""


def no_bfloat16(gpu: str) -> str:
    """Return why a GPU cannot compute in `model.dtype=bfloat16`, and what to set instead."""
    return (
        f"model.dtype=bfloat16 needs a GPU of the Ampere generation (sm_80) or later, and this is {gpu}; "
        "set model.dtype=float32, which takes twice the memory"
    )


class AdapterConfig(Section):
    """The LoRA adapter, the only weights that are trained; the field names are PEFT's, without their `lora_`."""

    r: Positive = 16
    """Rank."""
    alpha: Positive = 32
    """The adapter's output is scaled by `alpha / r`, or `alpha / sqrt(r)` with `use_rslora`."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    target_modules: str | tuple[str, ...] = "all-linear"
    """Modules to adapt, by name, as in [q_proj, v_proj]; `all-linear` takes every linear layer but the output's."""
    exclude_modules: tuple[str, ...] | None = None
    """Modules of `target_modules` to leave out, by name, as in [down_proj]; null leaves out none."""
    layers: tuple[int, ...] | None = None
    """Layers to adapt; null is all. The backward pass ends at the lowest one, so adapting the upper half saves half."""
    use_rslora: bool = False
    use_dora: bool = False
    """Train the magnitude of each weight's columns apart from their direction (DoRA); vLLM serves it only merged."""
    start: Path | None = None
    """Folder of an adapter to continue from, with the same base, rank, alpha and modules; null starts a fresh one."""
