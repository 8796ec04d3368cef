"""Engine on a vLLM server of the user's own: asks it by HTTP, in an environment of its own; vLLM is not imported."""

import re
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from rl.common.errors import RunFailure
from rl.rollouts.adapter_folder import read_adapter
from rl.rollouts.engine_vllm import row_seed
from rl.rollouts.engines import EngineSetup
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.served_adapters import ServedAdapter, ServedAdapters
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.vllm_http import UNFILTERED, VllmServer


class VllmServerEngine:
    """Samples on a server; tokens are as repeatable as vLLM's seeded sampling is."""

    def __init__(
        self,
        server: VllmServer,
        adapters: ServedAdapters,
        *,
        generation: GenerationConfig,
        stop_token_ids: Sequence[int],
    ):
        self.server = server
        self.adapters = adapters
        self.generation = generation
        self.stop_token_ids = list(stop_token_ids)
        self._adapter: ServedAdapter | None = None

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        """Sample with a serialized adapter from now on."""
        self.close()  # first, as a server has room for --max-loras adapters
        self._adapter = self.adapters.acquire(payload)
        return ()

    def active_tensors(self) -> dict[str, Tensor]:
        """Return the tensors that the server was given; what it really samples with shows in the log-probs."""
        return {} if self._adapter is None else read_adapter(self._adapter.folder)

    def sample(self, request: RolloutRequest) -> list[Sample]:
        """Return one sample a row, groups in order, each group's samples in order; every row has its own seed."""
        prompts = [prompt for prompt in request.prompts for _ in range(request.num_generations)]
        seeds = [
            row_seed(request, position, sample)
            for position in request.positions
            for sample in range(request.num_generations)
        ]
        answers = self.server.complete(
            [self._body(list(prompt), seed=seed) for prompt, seed in zip(prompts, seeds, strict=True)]
        )
        return [
            self._sample(prompt, choice, request.version) for prompt, (choice,) in zip(prompts, answers, strict=True)
        ]

    def token_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probs, at temperature 1, of a text's tokens after the first."""
        return self.server.token_logprobs(self._name, token_ids)

    def first_logprob(self, token_ids: Sequence[int]) -> tuple[float, float]:
        """Return the log-prob of a text's second token at the run's temperature, and at temperature 1."""
        temperatures = (self.generation.temperature, 1.0)
        scaled, plain = (self.server.token_logprobs(self._name, token_ids[:2], temperature=one) for one in temperatures)
        return scaled[0], plain[0]

    def longest_completion(self) -> int | None:
        """Return the tokens that the server would really give for the run's `max_tokens`, if it says so.

        It refuses to give at least one more than it gives at most, and names both numbers.
        """
        most = self.generation.max_completion_length
        refusal = self.server.refusal(self._body([0], min_tokens=most + 1))
        found = re.search(r"max_tokens=(\d+)", refusal)
        return int(found[1]) if found else None

    def close(self) -> None:
        """Have the server forget the adapter."""
        if self._adapter is not None:
            adapter, self._adapter = self._adapter, None
            self.adapters.release(adapter)

    @property
    def _name(self) -> str:
        if self._adapter is None:
            raise RunFailure(f"{self.server.url} was given no adapter yet")
        return self._adapter.name

    def _body(self, prompt: list[int], **changes: Any) -> dict[str, Any]:
        return {
            **UNFILTERED,
            "model": self._name,
            "prompt": prompt,
            "temperature": self.generation.temperature,
            "max_tokens": self.generation.max_completion_length,
            "stop_token_ids": self.stop_token_ids,
            **changes,
        }

    def _sample(self, prompt: tuple[int, ...], choice: dict[str, Any], version: int) -> Sample:
        ids, reason, most = tuple(choice["token_ids"]), choice["finish_reason"], self.generation.max_completion_length
        ended = reason == "stop" and ids[-1] in self.stop_token_ids
        if not ended and not (reason == "length" and len(ids) == most):
            raise RunFailure(
                f"{self.server.url} ended a completion after {len(ids)} tokens ({reason}), neither at an end token of "
                f"the model nor at trainer.max_completion_length={most}; start it with a large enough --max-model-len, "
                "with --generation-config vllm and without --override-generation-config"
            )
        return Sample(
            prompt_ids=prompt,
            completion_ids=ids,
            logprobs=tuple(choice["logprobs"]["token_logprobs"]),
            finish_reason="stop" if ended else "length",
            version=version,
        )


def worker_engine(setup: EngineSetup) -> VllmServerEngine:
    """Build the engine of a worker that shares the server's adapters with no other."""
    assert setup.server is not None, "a server's engine needs its address"
    return server_engine(setup, shared_adapters(setup))


def shared_adapters(setup: EngineSetup) -> ServedAdapters:
    """Build the adapters that all workers of one server share."""
    assert setup.server is not None
    server = VllmServer(setup.server.url, time_limit=setup.server.time_limit)
    return ServedAdapters(server, setup.lora, setup.server.folder)


def server_engine(setup: EngineSetup, adapters: ServedAdapters) -> VllmServerEngine:
    """Build an engine with connections of its own."""
    assert setup.server is not None
    server = VllmServer(setup.server.url, time_limit=setup.server.time_limit)
    return VllmServerEngine(server, adapters, generation=setup.generation, stop_token_ids=setup.server.stop_token_ids)
