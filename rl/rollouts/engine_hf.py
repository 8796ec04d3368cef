"""Engine on transformers: answers a request with one `generate` call, prefilling each group's prompt once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from peft import PeftModel, get_peft_model
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase
from transformers import GenerationConfig as ModelGenerationConfig

from attention_probes.sink_calibrator import calibrated_cache
from rl.common.threads import torch_threads
from rl.config.routing import RoutingConfig
from rl.models.eval_mode import eval_mode
from rl.models.load import configured_tokenizer, end_token_ids, load_base_model
from rl.models.logprobs import token_logprobs
from rl.models.lora import lora_config
from rl.models.precision import loss_precision
from rl.rollouts.adapter_bytes import deserialize_adapter, host_adapter
from rl.rollouts.decoding import decode
from rl.rollouts.engines import EngineSetup
from rl.rollouts.fused_lora import fused_lora
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.growing_cache import growing
from rl.rollouts.interfaces import PROBED
from rl.rollouts.packed_weights import packed_weights
from rl.rollouts.seeded_sampling import row_uniforms
from rl.rollouts.types import RolloutRequest, Sample
from rl.routing.route import Route, add_adapters

# Axes: P prompts of a request, B = P x num_generations rows, L padded prompt tokens.


class TransformersEngine:
    """Samples from a model in this process; tokens depend on the request, the weights and the threads only."""

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        generation: GenerationConfig,
        *,
        route: Route | None = None,
    ):
        # LoRA lives in the base model's own layers: that model is the policy.
        self.model: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self.tokenizer = tokenizer
        self.generation = generation
        self.route = route

    def sample(self, request: RolloutRequest) -> list[Sample]:
        """Return one sample a row, groups in order, each group's samples in order."""
        with torch.no_grad(), eval_mode(self.model), _unfiltered(self.model), torch_threads(self.generation.threads):
            gates_PN = None if self.route is None else self.route.gates(request.prompts, request.tasks)
            with self._routed(gates_PN):
                ids_BL, mask_BL, cache = self._prefill(request)
            gates_BN = None if gates_PN is None else gates_PN.repeat_interleave(request.num_generations, dim=0)
            with self._quickened():
                rows, logprobs = decode(
                    self.model,
                    ids_BL,
                    mask_BL,
                    growing(cache),
                    uniforms=row_uniforms(request, self.generation.max_completion_length),
                    temperature=self.generation.temperature_of(request),
                    ends=end_token_ids(self.model, self.tokenizer),
                    pad=self.tokenizer.pad_token_id,
                    routed=lambda rows: self._routed(None if gates_BN is None else gates_BN[rows]),
                )
        return self._samples(request, rows, logprobs, [] if gates_BN is None else gates_BN.tolist())

    def token_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return, for each adapter, the log-probs at temperature 1 of a text's last tokens."""
        gates_NN = [None] if self.route is None else list(torch.eye(len(self.route.names)).split(1))
        logprobs: list[float] = []
        with torch_threads(self.generation.threads):
            for gates_1N in gates_NN:  # each adapter by itself, so that the log-probs prove the delivery of each
                with self._routed(gates_1N):
                    logprobs += token_logprobs(self.model, [token_ids])[0, -PROBED:].tolist()
        return logprobs

    def inert_adapters(self, token_ids: Sequence[int]) -> tuple[str, ...]:
        """Return none: what `active_tensors` returns are the model's own tensors."""
        return ()

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        """Copy a serialized adapter into the model; return the names of tensors that did not fit."""
        return deserialize_adapter(payload, self.model)

    def active_tensors(self) -> dict[str, Tensor]:
        """Return the adapter's tensors, and the router's, by name, as they are published."""
        return host_adapter(self.model)

    @contextmanager
    def _routed(self, gates: Tensor | None) -> Iterator[None]:
        """Compute forward passes with the gates of their rows, in the loss's precision."""
        routed = nullcontext() if self.route is None or gates is None else self.route.applied(gates)
        with loss_precision(self.model), routed:
            yield

    @contextmanager
    def _quickened(self) -> Iterator[None]:
        """Decode in ways that pay for few rows."""
        packed = packed_weights(self.model) if self.generation.packed_weights else nullcontext()
        with packed, fused_lora(self.model):
            yield

    def _prefill(self, request: RolloutRequest) -> tuple[Tensor, Tensor, DynamicCache]:
        """Return padded prompts (B, L), their mask, and the cache of all but the last token, computed once a group."""
        padded = self.tokenizer.pad(
            {"input_ids": [list(prompt) for prompt in request.prompts]}, padding_side="left", return_tensors="pt"
        ).to(self.model.device)
        ids_PL, mask_PL = padded["input_ids"], padded["attention_mask"]
        cache = calibrated_cache(self.model, self.model.config)
        if ids_PL.shape[1] > 1:
            positions_PL = (mask_PL.cumsum(dim=1) - 1).clamp(min=0)
            self.model(
                input_ids=ids_PL[:, :-1],
                attention_mask=mask_PL[:, :-1],
                position_ids=positions_PL[:, :-1],
                past_key_values=cache,
                logits_to_keep=1,
            )
            cache.batch_repeat_interleave(request.num_generations)
        repeat = request.num_generations
        return ids_PL.repeat_interleave(repeat, dim=0), mask_PL.repeat_interleave(repeat, dim=0), cache

    def _samples(
        self, request: RolloutRequest, rows: list[list[int]], logprobs: list[list[float]], gates: list[list[float]]
    ) -> list[Sample]:
        ends = end_token_ids(self.model, self.tokenizer)
        samples = []
        for row_index, (row, row_logprobs) in enumerate(zip(rows, logprobs, strict=True)):
            stop = next((index for index, token in enumerate(row) if token in ends), None)
            length = len(row) if stop is None else stop + 1
            samples.append(
                Sample(
                    prompt_ids=request.prompts[row_index // request.num_generations],
                    completion_ids=tuple(row[:length]),
                    logprobs=tuple(row_logprobs[:length]),
                    finish_reason="length" if stop is None else "stop",
                    version=request.version,
                    gates=tuple(gates[row_index]) if gates else (),
                )
            )
        return samples


def local_engine(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    generation: GenerationConfig,
    routing: RoutingConfig,
) -> TransformersEngine:
    """Build the engine of a live model, routed if it has several adapters."""
    route = Route(model, routing) if routing.adapters and isinstance(model, PeftModel) else None
    return TransformersEngine(model, tokenizer, generation, route=route)


def worker_engine(setup: EngineSetup) -> TransformersEngine:
    """Build the engine of a worker, with a model of its own."""
    if setup.generation.threads is not None:
        torch.set_num_threads(setup.generation.threads)
    model = load_base_model(setup.model)
    policy: Any = get_peft_model(model, lora_config(setup.lora))
    route = add_adapters(policy, setup.lora, setup.routing) if setup.routing.adapters else None
    if setup.rounded_adapter:
        for weight in policy.parameters():  # buffers keep their type, as in DeepSpeed
            weight.data = weight.data.to(model.dtype)
    return TransformersEngine(policy, configured_tokenizer(setup.model), setup.generation, route=route)


@contextmanager
def _unfiltered(model: PreTrainedModel) -> Iterator[None]:
    """Ignore the model's own generation settings: a repetition penalty (Qwen2.5: 1.1) is not part of the policy."""
    before = model.generation_config
    model.generation_config = ModelGenerationConfig(eos_token_id=before.eos_token_id)
    try:
        yield
    finally:
        model.generation_config = before
