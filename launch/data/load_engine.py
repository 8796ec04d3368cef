"""Engine by name: a model loaded and ready to sample, for commands that have no run."""

from typing import Any

from rl.config.model import ModelConfig
from rl.models.load import configured_tokenizer, load_model, resolve_dtype
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig


def load_engine(
    name: str, generation: GenerationConfig, template_values: dict[str, Any] | None = None
) -> TransformersEngine:
    """Load a hub name, a folder, `smollm2-135m-instruct` or `tiny`, on the GPU where there is one."""
    tokenizer = configured_tokenizer(ModelConfig(name=name, chat_template_kwargs=template_values or {}))
    return TransformersEngine(load_model(name, dtype=resolve_dtype("auto")), tokenizer, generation)
