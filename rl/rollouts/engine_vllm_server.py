"""Engine on a vLLM server of the user's own: asks it by HTTP, in an environment of its own; vLLM is not imported."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from safetensors.torch import load
from torch import Tensor

from rl.common.errors import RunFailure
from rl.config.model import ModelConfig
from rl.rollouts.adapter_folder import changes_something, without_module
from rl.rollouts.engine_vllm import row_seed
from rl.rollouts.engines import EngineSetup
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.hard_routing import HardRouter, prompt_gates
from rl.rollouts.interfaces import PROBED
from rl.rollouts.served_adapters import ServedAdapters, ServedVersion
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.vllm_http import UNFILTERED, VllmServer
from rl.routing.route import with_rank

BASE = ""
"""What stands for the base model where there is no adapter."""


class VllmServerEngine:
    """Samples on a server, each row with one adapter; tokens are as repeatable as vLLM's seeded sampling is.

    Where `adapters` has none, the base model answers.
    """

    def __init__(
        self,
        server: VllmServer,
        adapters: ServedAdapters,
        *,
        model: ModelConfig,
        generation: GenerationConfig,
        stop_token_ids: Sequence[int],
        router: HardRouter | None = None,
    ):
        self.server = server
        self.adapters = adapters
        self.model = model
        self.generation = generation
        self.stop_token_ids = list(stop_token_ids)
        self._router = router
        self._version: ServedVersion | None = None
        self._logprobs: dict[tuple[str, tuple[int, ...]], list[float]] = {}

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        """Sample with serialized adapters from now on; return the names of tensors for which the base has no module."""
        self.close()  # first, as a server has room for --max-loras adapters
        self._version = self.adapters.acquire(payload)
        tensors = load(payload)
        if self._router is not None:
            self._router.load(tensors)
        return without_module(tensors, self._names, self.model.name)

    def active_tensors(self) -> dict[str, Tensor]:
        """Return the tensors that the server was given; what it really samples with shows in the log-probs."""
        if self._version is None:
            return {}
        return self._version.tensors() | (self._router.tensors() if self._router else {})

    def sample(self, request: RolloutRequest) -> list[Sample]:
        """Return one sample a row, groups in order, each group's samples in order; every row has its own seed."""
        names, gates = self._names, prompt_gates(self._router, request)
        rows = [
            (group, row_seed(request, position, sample))
            for group, position in enumerate(request.positions)
            for sample in range(request.num_generations)
        ]
        answers = self.server.complete(
            [
                self._body(
                    names[gates[group].index(1.0) if gates else 0],
                    list(request.prompts[group]),
                    seed=seed,
                    temperature=self.generation.temperature_of(request),
                )
                for group, seed in rows
            ]
        )
        return [
            self._sample(request, group, choice, gates[group] if gates else ())
            for (group, _), (choice,) in zip(rows, answers, strict=True)
        ]

    def token_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return, for each adapter, the log-probs at temperature 1 of a text's last tokens."""
        return [value for adapter in self._names for value in self._last_logprobs(self._served(adapter), token_ids)]

    def inert_adapters(self, token_ids: Sequence[int]) -> tuple[str, ...]:
        """Return the adapters that are not zero, and with which the text's log-probs are the base's to the last bit."""
        base, tensors = self._last_logprobs(self.server.base_model().name, token_ids), self.active_tensors()
        return tuple(
            adapter
            for adapter in self._names
            if changes_something(tensors, adapter) and self._last_logprobs(self._served(adapter), token_ids) == base
        )

    def first_logprob(self, token_ids: Sequence[int]) -> tuple[float, float]:
        """Return the log-prob of a text's second token at the run's temperature, and at temperature 1."""
        name, two = self._served(self._names[0]), token_ids[:2]
        (scaled,), (plain,) = (
            self.server.token_logprobs(name, two, temperature=one) for one in (self.generation.temperature, 1.0)
        )
        return scaled, plain

    def longest_completion(self) -> int | None:
        """Return the tokens that the server would really give for the run's `max_tokens`, if it says so.

        It refuses to give at least one more than it gives at most, and names both numbers.
        """
        most = self.generation.max_completion_length
        refusal = self.server.refusal(self._body(self._names[0], [0], min_tokens=most + 1))
        found = re.search(r"max_tokens=(\d+)", refusal)
        return int(found[1]) if found else None

    def close(self) -> None:
        """Have the server forget the adapters."""
        if self._version is not None:
            version, self._version = self._version, None
            self.adapters.release(version)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.adapters.adapters) or (BASE,)

    def _served(self, adapter: str) -> str:
        """Return the name that an adapter, or the base model, has on the server."""
        if adapter == BASE:
            return self._base_name
        if self._version is None:
            raise RunFailure(f"{self.server.url} was given no adapter yet")
        return self._version.served_name(adapter)

    @cached_property
    def _base_name(self) -> str:
        return self.server.base_model().name

    def _last_logprobs(self, served: str, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probs of a text's last tokens, asked once: no name on the server ever changes its meaning."""
        key = served, tuple(token_ids)
        if key not in self._logprobs:
            self._logprobs[key] = self.server.token_logprobs(served, token_ids, last=PROBED)
        return self._logprobs[key]

    def _body(self, adapter: str, prompt: list[int], **changes: Any) -> dict[str, Any]:
        return {
            **UNFILTERED,
            "model": self._served(adapter),
            "prompt": prompt,
            "temperature": self.generation.temperature,
            "max_tokens": self.generation.max_completion_length,
            "stop_token_ids": self.stop_token_ids,
            **changes,
        }

    def _sample(self, request: RolloutRequest, group: int, choice: dict[str, Any], gates: tuple[float, ...]) -> Sample:
        ids, reason, most = tuple(choice["token_ids"]), choice["finish_reason"], self.generation.max_completion_length
        ended = reason == "stop" and ids[-1] in self.stop_token_ids
        if not ended and not (reason == "length" and len(ids) == most):
            raise RunFailure(
                f"{self.server.url} ended a completion after {len(ids)} tokens ({reason}), neither at an end token of "
                f"the model nor at trainer.max_completion_length={most}; start it with a large enough --max-model-len, "
                "with --generation-config vllm and without --override-generation-config"
            )
        return Sample(
            prompt_ids=request.prompts[group],
            completion_ids=ids,
            logprobs=tuple(choice["logprobs"]["token_logprobs"]),
            finish_reason="stop" if ended else "length",
            version=request.version,
            gates=gates,
        )


def worker_engine(setup: EngineSetup) -> VllmServerEngine:
    """Build the engine of a worker that shares the server's adapters with no other."""
    assert setup.server is not None, "a server's engine needs its address"
    return server_engine(setup, shared_adapters(setup))


def shared_adapters(setup: EngineSetup) -> ServedAdapters:
    """Build the adapters that all workers of one server share."""
    assert setup.server is not None
    server, routing = VllmServer(setup.server.url, time_limit=setup.server.time_limit), setup.routing
    adapters = {name: with_rank(setup.lora, routing.ranks.get(name)) for name in routing.adapters or ("default",)}
    return ServedAdapters(server, adapters, names=setup.server.names, folder=setup.server.folder)


def server_engine(setup: EngineSetup, adapters: ServedAdapters) -> VllmServerEngine:
    """Build an engine with connections of its own."""
    assert setup.server is not None
    return VllmServerEngine(
        VllmServer(setup.server.url, time_limit=setup.server.time_limit),
        adapters,
        model=setup.model,
        generation=setup.generation,
        stop_token_ids=setup.server.stop_token_ids,
        router=HardRouter(setup.model, setup.lora, setup.routing) if setup.routing.adapters else None,
    )
