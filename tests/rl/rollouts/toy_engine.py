"""An engine as a newcomer would add it: this module, and one entry in the table of engines."""

from typing import Any

from torch import Tensor

from rl.rollouts.adapter_bytes import adapter_state, deserialize_adapter
from rl.rollouts.engine_hf import worker_engine as transformers_engine
from rl.rollouts.engines import EngineSetup
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.interfaces import PROBED
from rl.rollouts.types import RolloutRequest, Sample


class EchoEngine:
    """Repeats each prompt's first tokens, sample by sample one token more, whatever the policy says."""

    def __init__(self, model: Any, generation: GenerationConfig):
        self.model = model
        self.generation = generation

    def sample(self, request: RolloutRequest) -> list[Sample]:
        return [
            Sample(
                prompt_ids=prompt,
                completion_ids=(completion := prompt[: 1 + index % self.generation.max_completion_length]),
                logprobs=(-1.0,) * len(completion),
                finish_reason="length",
                version=request.version,
            )
            for prompt in request.prompts
            for index in range(request.num_generations)
        ]

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        return deserialize_adapter(payload, self.model)

    def active_tensors(self) -> dict[str, Tensor]:
        return adapter_state(self.model)

    def inert_adapters(self, token_ids: tuple[int, ...]) -> tuple[str, ...]:
        return ()

    def token_logprobs(self, token_ids: tuple[int, ...]) -> list[float]:
        return [-1.0] * min(PROBED, len(token_ids) - 1)


def worker_engine(setup: EngineSetup) -> EchoEngine:
    return EchoEngine(transformers_engine(setup).model, setup.generation)


def local_engine(model: Any, tokenizer: Any, generation: GenerationConfig, routing: Any) -> EchoEngine:
    return EchoEngine(model, generation)
