"""The model that is trained, and the LoRA adapter trained on it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rl.config.types import Positive, Section


class ModelConfig(Section):
    name: str = "smollm2-135m-instruct"
    """A hub name, a local folder, `smollm2-135m-instruct` (built in) or `tiny` (two random layers, for tests)."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 where the hardware multiplies it, else float32."""


class AdapterConfig(Section):
    r: Positive = 16
    alpha: Positive = 32
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    target_modules: str | tuple[str, ...] = "all-linear"
    layers: tuple[int, ...] | None = None
    """Layers to adapt; null is all. The backward pass ends at the lowest one, so the upper half costs half of it."""
    use_rslora: bool = False
    start: Path | None = None
    """An adapter's folder to go on from, of the same base, rank and modules; null starts with a fresh one."""
