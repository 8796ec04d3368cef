"""Engine by name: a model loaded and ready to sample, for commands that have no run."""

from rl.models.load import load_model, load_tokenizer, resolve_dtype
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig


def load_engine(name: str, generation: GenerationConfig) -> TransformersEngine:
    """Load a hub name, a folder, `smollm2-135m-instruct` or `tiny`, on the GPU where there is one."""
    return TransformersEngine(load_model(name, dtype=resolve_dtype("auto")), load_tokenizer(name), generation)
