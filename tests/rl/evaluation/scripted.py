"""A model that answers by script: text in, text out, in tokens of `tiny`."""

from collections.abc import Callable

from transformers import PreTrainedTokenizerBase

from rl.models.load import load_tokenizer
from rl.rollouts.types import RolloutRequest, Sample


class ScriptedEngine:
    """Gives the reply of a function to each prompt's text, and remembers the prompts."""

    def __init__(self, script: Callable[[str], str]):
        self.tokenizer: PreTrainedTokenizerBase = load_tokenizer("tiny")
        self.script = script
        self.prompts: list[str] = []

    def sample(self, request: RolloutRequest) -> list[Sample]:
        return [self._answered(prompt, request) for prompt in request.prompts]

    def _answered(self, prompt: tuple[int, ...], request: RolloutRequest) -> Sample:
        text = str(self.tokenizer.decode(list(prompt)))
        self.prompts.append(text)
        ids = tuple(self.tokenizer(self.script(text) + "<|im_end|>", add_special_tokens=False)["input_ids"])
        return Sample(
            prompt_ids=prompt,
            completion_ids=ids,
            logprobs=(0.0,) * len(ids),
            finish_reason="stop",
            version=request.version,
        )
