"""A language model that answers messages: an OpenAI-compatible endpoint, or a local model."""

from typing import Any

from data.endpoint import Endpoint
from data.llm_rewriting import AskModel
from rl.common.errors import UserError


def ask_function(source: str, model: str | None, *, max_tokens: int = 256) -> AskModel:
    """Return a function from a message to the model's answer.

    `source` is an address, and `model` the name of the model there; or a hub name, a folder or `smollm2-135m-instruct`.
    Raises UserError for an address without a model, and for a model beside a local one.
    """
    if source.startswith(("http://", "https://")):
        if model is None:
            raise UserError(f"{source} is an address; name the model to ask for there with --ask-model")
        return Endpoint(url=source, model=model, max_tokens=max_tokens)
    if model is not None:
        raise UserError(f"--ask-model={model} goes with an address under --ask; {source} is a local model itself")
    return _local(source, max_tokens)


def _local(name: str, max_tokens: int) -> AskModel:
    from launch.data.load_engine import load_engine
    from rl.models.answers import answer_text
    from rl.models.tokenization import encode_prompt
    from rl.rollouts.generation import GenerationConfig
    from rl.rollouts.types import RolloutRequest

    engine = load_engine(name, GenerationConfig(temperature=0.7, max_completion_length=max_tokens))
    tokenizer: Any = engine.tokenizer
    position = 0

    def ask(message: str) -> str:
        nonlocal position
        position += 1  # another seed: the same message, sent again, gets another answer
        prompt = encode_prompt(tokenizer, [{"role": "user", "content": message}])
        [sample] = engine.sample(
            RolloutRequest(position=position, prompts=(prompt,), num_generations=1, version=0, seed=0)
        )
        return answer_text(tokenizer, prompt, sample.completion_ids)

    return ask
