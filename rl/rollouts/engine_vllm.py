"""Engine on vLLM: answers requests with vLLM, each adapter of each policy version under a LoRA name of its own."""

import hashlib
import importlib
import itertools
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor

from rl.common.errors import RunFailure
from rl.config.model import AdapterConfig, ModelConfig
from rl.config.routing import RoutingConfig
from rl.config.vllm import CPU_CACHE, LORA_RANKS
from rl.models.load import model_path, resolve_dtype
from rl.rollouts.adapter_folder import changes_something, read_adapter, without_module, write_adapter
from rl.rollouts.engines import EngineSetup, import_package
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.hard_routing import HardRouter, prompt_gates
from rl.rollouts.interfaces import PROBED
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.vllm_failures import failing_with_reason
from rl.routing.route import with_rank

# Run with vLLM 0.30; TRL 1.16 admits 0.22 to 0.31.

ENVIRONMENT = {
    # In this process: its errors arrive as they are, and no second process outlives a worker that is killed.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
}
NUMBERS = itertools.count(1)
"""Numbers of adapters: vLLM caches prompts by an adapter's name, so no name may be used twice."""


class VllmEngine:
    """Samples with vLLM in this process, on its GPU; tokens are as repeatable as vLLM's seeded sampling is."""

    def __init__(
        self,
        model: ModelConfig,
        *,
        lora: AdapterConfig,
        generation: GenerationConfig,
        routing: RoutingConfig | None = None,
        options: dict[str, Any] | None = None,
        vllm: Any = None,
    ):
        """Start vLLM, with `options` for its `LLM`. Raises RunFailure when it is missing or cannot serve the LoRA."""
        self.vllm = vllm or import_vllm()
        self.model = model
        self.generation = generation
        routing = routing or RoutingConfig()
        self.adapters = {name: with_rank(lora, routing.ranks.get(name)) for name in routing.adapters or ("default",)}
        self._router = HardRouter(model, lora, routing) if routing.adapters else None
        options = llm_options(options or {})
        self._sleeps = bool(options.get("enable_sleep_mode"))
        with failing_with_reason():
            self.llm = self.vllm.LLM(
                model=model_path(model.name),
                dtype=str(resolve_dtype(model.dtype)).removeprefix("torch."),
                enable_lora=True,
                max_loras=len(self.adapters),
                max_lora_rank=served_rank(max(adapter.r for adapter in self.adapters.values())),
                # Log-probs after the temperature, as the learner's are; nothing else is applied to the logits.
                logprobs_mode="processed_logprobs",
                **options,
            )
        self._requests: dict[str, Any] = {}
        """The LoRA request of each adapter, by the adapter's name."""
        self._written: dict[str, Tensor] = {}
        """The tensors of the adapters as they were read from the files that vLLM read."""
        self._logprobs: dict[tuple[str, tuple[int, ...]], list[float]] = {}
        """Log-probs of texts by LoRA name, empty without an adapter: no name ever changes its meaning."""
        if self._sleeps:
            self.llm.sleep(level=1)

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        """Serve serialized adapters from now on; return the names of tensors for which the base has no module."""
        tensors = load(payload)
        if self._router is not None:
            self._router.load(tensors)
        self._written = {}
        with tempfile.TemporaryDirectory(prefix="heed-adapters-") as folder, self._awake():
            self._requests = {
                name: self._serve(Path(folder), name, adapter, tensors) for name, adapter in self.adapters.items()
            }
        return without_module(tensors, self.adapters, self.model.name)

    def _serve(self, folder: Path, adapter: str, lora: AdapterConfig, tensors: Mapping[str, Tensor]) -> Any:
        """Have vLLM read one adapter now, so that its files can go; return the request for it.

        vLLM has room for one version, so it forgets the one before, and keeps this one.
        """
        name, number = self._new_name(adapter)
        write_adapter(folder / name, tensors, adapter, lora)
        self._written |= read_adapter(folder / name, adapter)
        request = self.vllm.lora.request.LoRARequest(name, number, str(folder / name))
        with failing_with_reason():
            self.llm.llm_engine.add_lora(request)
        return request

    def _new_name(self, adapter: str) -> tuple[str, int]:
        """Return a LoRA name and a number that no adapter had before."""
        number = next(NUMBERS)
        return f"{adapter}-{number}", number

    def active_tensors(self) -> dict[str, Tensor]:
        """Return the tensors that vLLM was given; what it really samples with shows in the probe text's log-probs."""
        return self._written | (self._router.tensors() if self._router and self._requests else {})

    def sample(self, request: RolloutRequest) -> list[Sample]:
        """Return one sample a row, groups in order, each group's samples in order; every row has its own seed.

        Raises RunFailure for a prompt that leaves a completion too little room, which vLLM would cut off.
        """
        self._check_room(request)
        groups = [group for group in range(len(request.prompts)) for _ in range(request.num_generations)]
        seeds = [
            row_seed(request, position, sample)
            for position in request.positions
            for sample in range(request.num_generations)
        ]
        gates = prompt_gates(self._router, request)
        names = list(self.adapters)
        outputs = self._generate(
            [request.prompts[group] for group in groups],
            [
                self.vllm.SamplingParams(
                    temperature=self.generation.temperature_of(request),
                    max_tokens=self.generation.max_completion_length,
                    logprobs=0,
                    seed=seed,
                    detokenize=False,
                )
                for seed in seeds
            ],
            [self._requests[names[gates[group].index(1.0)] if gates else names[0]] for group in groups],
        )
        return [
            _sample(request, group, output.outputs[0], gates[group] if gates else ())
            for group, output in zip(groups, outputs, strict=True)
        ]

    def _check_room(self, request: RolloutRequest) -> None:
        room, most = self.llm.model_config.max_model_len, self.generation.max_completion_length
        longest = max(len(prompt) for prompt in request.prompts)
        if longest + most > room:
            raise RunFailure(
                f"a prompt of {longest} tokens and trainer.max_completion_length={most} are more than the {room} "
                "tokens that vLLM has room for; raise rollouts.vllm.max_model_len, or leave out such prompts"
            )

    def token_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return, for each adapter, the log-probs at temperature 1 of a text's last tokens."""
        with failing_with_reason():  # this is the first that it computes, and no request's fault
            return [value for lora in self._requests.values() for value in self._last_logprobs(token_ids, lora)]

    def inert_adapters(self, token_ids: Sequence[int]) -> tuple[str, ...]:
        """Return the adapters that are not zero, and with which the text's log-probs are the base's to the last bit."""
        base, tensors = self._last_logprobs(token_ids, None), self.active_tensors()
        return tuple(
            adapter
            for adapter, lora in self._requests.items()
            if changes_something(tensors, adapter) and self._last_logprobs(token_ids, lora) == base
        )

    def _last_logprobs(self, token_ids: Sequence[int], lora: Any) -> list[float]:
        """Return the log-probs of a text's last tokens, computed once for each adapter that vLLM was given."""
        key = lora.lora_name if lora else "", tuple(token_ids)
        if key not in self._logprobs:
            self._logprobs[key] = self._sampled_logprobs(token_ids, lora)
        return self._logprobs[key]

    def _sampled_logprobs(self, token_ids: Sequence[int], lora: Any) -> list[float]:
        """Return the log-probs of a text's last tokens, each as that of the next token of a prompt.

        vLLM samples them, and reads the cache of prompts while it does; log-probs of a prompt it computes without.
        """
        ends = range(max(1, len(token_ids) - PROBED), len(token_ids))
        outputs = self._generate(
            [tuple(token_ids[:end]) for end in ends],
            [
                self.vllm.SamplingParams(
                    temperature=1.0, max_tokens=1, seed=0, logprob_token_ids=[token_ids[end]], detokenize=False
                )
                for end in ends
            ],
            [lora for _ in ends],
        )
        return [
            output.outputs[0].logprobs[0][token_ids[end]].logprob for end, output in zip(ends, outputs, strict=True)
        ]

    def _generate(self, prompts: list[tuple[int, ...]], parameters: list[Any], loras: list[Any]) -> list[Any]:
        with self._awake():
            return self.llm.generate(
                [{"prompt_token_ids": list(prompt)} for prompt in prompts],
                parameters,
                lora_request=loras,
                use_tqdm=False,
            )

    @contextmanager
    def _awake(self) -> Iterator[None]:
        """Take the GPU's memory for the block, if it is given back in between."""
        if self._sleeps:
            self.llm.wake_up()
        try:
            yield
        finally:
            if self._sleeps:
                self.llm.sleep(level=1)


def worker_engine(setup: EngineSetup) -> VllmEngine:
    """Build the engine of a worker, with a model of its own."""
    return VllmEngine(
        setup.model, lora=setup.lora, generation=setup.generation, routing=setup.routing, options=setup.options
    )


def llm_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of `LLM`, with a KV cache that leaves a machine without a GPU its memory."""
    sizes = {"gpu_memory_utilization", "kv_cache_memory_bytes"} & options.keys()
    if sizes or torch.cuda.is_available() or "VLLM_CPU_KVCACHE_SPACE" in os.environ:
        return dict(options)
    return {"kv_cache_memory_bytes": CPU_CACHE, **options}


def import_vllm() -> Any:
    """Import vLLM. Raises RunFailure when it cannot be imported."""
    os.environ.update({name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()})
    vllm = import_package("vllm")
    importlib.import_module("vllm.lora.request")
    return vllm


def served_rank(rank: int) -> int:
    """Return the smallest of vLLM's bounds for a LoRA rank. Raises RunFailure above the largest."""
    for bound in LORA_RANKS:
        if rank <= bound:
            return bound
    raise RunFailure(f"lora.r={rank} is more than vLLM serves; set lora.r to at most {LORA_RANKS[-1]}")


def row_seed(request: RolloutRequest, position: int, sample: int) -> int:
    """Return a seed for one row, from the same four numbers that seed the transformers engine's rows."""
    key = f"{request.seed} {position} {sample} {request.stream}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:4], "big")


def _sample(request: RolloutRequest, group: int, completion: Any, gates: tuple[float, ...]) -> Sample:
    return Sample(
        prompt_ids=request.prompts[group],
        completion_ids=tuple(completion.token_ids),
        logprobs=tuple(
            logprobs[token].logprob for token, logprobs in zip(completion.token_ids, completion.logprobs, strict=True)
        ),
        finish_reason="length" if completion.finish_reason == "length" else "stop",
        version=request.version,
        gates=gates,
    )
