"""The transformers engine: samples a unit with `generate`, prefilling each group's prompt once."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import (
    DynamicCache,
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from rl.common.threads import torch_threads
from rl.config.root import Config
from rl.models.eval_mode import eval_mode
from rl.models.logprobs import token_logprobs
from rl.rollouts.seeded_sampling import SeededSampler, row_uniforms
from rl.rollouts.types import RolloutRequest, Sample
from rl.routing.route import Route

# Axes: P prompts of a unit, B = P x num_generations rows, L padded prompt tokens.


class TransformersEngine:
    """Samples units from a live model; a unit's tokens depend on the unit, the weights and the thread count."""

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        temperature: float,
        max_completion_length: int,
        threads: int | None = None,
        route: Route | None = None,
    ):
        # LoRA lives in the base model's own layers: that model is the policy.
        self.model: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self.tokenizer = tokenizer
        self.temperature = temperature
        self.max_completion_length = max_completion_length
        self.threads = threads
        self.route = route

    def sample(self, unit: RolloutRequest) -> list[Sample]:
        """One sample a row, groups in order, each group's samples in order."""
        sampler = SeededSampler(row_uniforms(unit, self.max_completion_length), temperature=self.temperature)
        with torch.no_grad(), eval_mode(self.model), _whole_distribution(self.model), torch_threads(self.threads):
            gates_PN = None if self.route is None else self.route.gates(unit.prompts, unit.tasks)
            with self._routed(gates_PN):
                ids_BL, mask_BL, cache = self._prefill(unit)
            gates_BN = None if gates_PN is None else gates_PN.repeat_interleave(unit.num_generations, dim=0)
            with self._routed(gates_BN):
                sequences = self.model.generate(
                    input_ids=ids_BL,
                    attention_mask=mask_BL,
                    past_key_values=cache,
                    logits_processor=LogitsProcessorList([sampler]),
                    do_sample=False,
                    max_new_tokens=self.max_completion_length,
                    pad_token_id=self.tokenizer.pad_token_id,
                )
        rows = sequences[:, ids_BL.shape[1] :].tolist()
        return self._samples(unit, rows, sampler.logprobs().tolist(), [] if gates_BN is None else gates_BN.tolist())

    def token_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Log-probs, at temperature 1, of a text's tokens after the first."""
        # Every adapter alike where there are several: what is proved delivered is all of them.
        even = nullcontext() if self.route is None else self.route.even(1)
        with torch_threads(self.threads), even:
            return token_logprobs(self.model, [token_ids])[0].tolist()

    def _routed(self, gates: Tensor | None) -> AbstractContextManager[None]:
        return nullcontext() if self.route is None or gates is None else self.route.applied(gates)

    def _prefill(self, unit: RolloutRequest) -> tuple[Tensor, Tensor, DynamicCache]:
        """Padded prompts (B, L), their mask, and the cache of all but the last token, computed once a group."""
        padded = self.tokenizer.pad(
            {"input_ids": [list(prompt) for prompt in unit.prompts]}, padding_side="left", return_tensors="pt"
        ).to(self.model.device)
        ids_PL, mask_PL = padded["input_ids"], padded["attention_mask"]
        cache = DynamicCache(config=self.model.config)
        if ids_PL.shape[1] > 1:
            positions_PL = (mask_PL.cumsum(dim=1) - 1).clamp(min=0)
            self.model(
                input_ids=ids_PL[:, :-1],
                attention_mask=mask_PL[:, :-1],
                position_ids=positions_PL[:, :-1],
                past_key_values=cache,
                logits_to_keep=1,
            )
            cache.batch_repeat_interleave(unit.num_generations)
        repeat = unit.num_generations
        return ids_PL.repeat_interleave(repeat, dim=0), mask_PL.repeat_interleave(repeat, dim=0), cache

    def _samples(
        self, unit: RolloutRequest, rows: list[list[int]], logprobs: list[list[float]], gates: list[list[float]]
    ) -> list[Sample]:
        ends = self._end_ids()
        samples = []
        for index, (row, row_logprobs) in enumerate(zip(rows, logprobs, strict=True)):
            stop = next((place for place, token in enumerate(row) if token in ends), None)
            length = len(row) if stop is None else stop + 1
            samples.append(
                Sample(
                    prompt_ids=unit.prompts[index // unit.num_generations],
                    completion_ids=tuple(row[:length]),
                    logprobs=tuple(row_logprobs[:length]),
                    finish_reason="length" if stop is None else "stop",
                    version=unit.version,
                    gates=tuple(gates[index]) if gates else (),
                )
            )
        return samples

    def _end_ids(self) -> set[int]:
        ends: Any = self.model.generation_config.eos_token_id
        if ends is None:
            ends = self.tokenizer.eos_token_id
        return {ends} if isinstance(ends, int) else set(ends)


def engine_of(
    config: Config,
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    temperature: float | None = None,
) -> TransformersEngine:
    """A run's engine on a model, routed if it has several adapters; at the training's temperature unless told other."""
    route = Route(model, config.routing) if config.routing.adapters and isinstance(model, PeftModel) else None
    return TransformersEngine(
        model,
        tokenizer,
        temperature=config.trainer.temperature if temperature is None else temperature,
        max_completion_length=config.trainer.max_completion_length,
        threads=config.rollouts.threads,
        route=route,
    )


@contextmanager
def _whole_distribution(model: PreTrainedModel):
    """Forget what the model's makers set for `generate`: a repetition penalty (Qwen2.5: 1.1) is not the policy's."""
    before = model.generation_config
    model.generation_config = GenerationConfig(eos_token_id=before.eos_token_id)
    try:
        yield
    finally:
        model.generation_config = before
