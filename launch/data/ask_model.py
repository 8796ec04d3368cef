"""Whom to ask: an OpenAI-compatible endpoint by its address, or a local model by its name."""

from typing import Any

from data.endpoint import Endpoint
from data.llm_rewriting import Ask
from rl.common.errors import UserError


def ask_function(whom: str, model: str | None, *, max_tokens: int = 256) -> Ask:
    """`whom` is an address, and `model` what to ask for there; or a hub name, a folder or `smollm2-135m-instruct`.

    Raises UserError for an address without a model, and a model beside a local one.
    """
    if whom.startswith(("http://", "https://")):
        if model is None:
            raise UserError(f"{whom} is an address; name the model to ask for there with --ask-model")
        return Endpoint(url=whom, model=model, max_tokens=max_tokens)
    if model is not None:
        raise UserError(f"--ask-model={model} goes with an address under --ask; {whom} is a local model itself")
    return _local(whom, max_tokens)


def _local(name: str, max_tokens: int) -> Ask:
    from launch.data.load_engine import load_engine
    from rl.models.tokenization import encode_prompt
    from rl.rollouts.types import RolloutRequest

    engine = load_engine(name, temperature=0.7, max_tokens=max_tokens)
    tokenizer: Any = engine.tokenizer
    position = 0

    def ask(message: str) -> str:
        nonlocal position
        position += 1  # the same message asked again is answered anew
        prompt = encode_prompt(tokenizer, [{"role": "user", "content": message}])
        [sample] = engine.sample(
            RolloutRequest(position=position, prompts=(prompt,), num_generations=1, version=0, seed=0)
        )
        return tokenizer.decode(list(sample.completion_ids), skip_special_tokens=True)

    return ask
