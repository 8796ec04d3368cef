"""The transformers engine: samples a unit with `generate`, prefilling each group's prompt once."""

from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import (
    DynamicCache,
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from rl.config import Config
from rl.rollouts.sampling import SeededSampler, row_uniforms
from rl.threads import torch_threads
from rl.types import Sample, Unit

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
    ):
        # LoRA lives in the base model's own layers: that model is the policy.
        self.model: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self.tokenizer = tokenizer
        self.temperature = temperature
        self.max_completion_length = max_completion_length
        self.threads = threads

    def sample(self, unit: Unit) -> list[Sample]:
        """One sample a row, groups in order, each group's samples in order."""
        sampler = SeededSampler(row_uniforms(unit, self.max_completion_length), temperature=self.temperature)
        with torch.no_grad(), evaluating(self.model), _whole_distribution(self.model), torch_threads(self.threads):
            ids_BL, mask_BL, cache = self._prefill(unit)
            sequences = self.model.generate(
                input_ids=ids_BL,
                attention_mask=mask_BL,
                past_key_values=cache,
                logits_processor=LogitsProcessorList([sampler]),
                do_sample=False,
                max_new_tokens=self.max_completion_length,
                pad_token_id=self.tokenizer.pad_token_id,
            )
        return self._samples(unit, sequences[:, ids_BL.shape[1] :].tolist(), sampler.logprobs().tolist())

    def score(self, token_ids: Sequence[int]) -> list[float]:
        """Log-probs, at temperature 1, of a text's tokens after the first."""
        with torch.no_grad(), evaluating(self.model), torch_threads(self.threads):
            ids_BL = torch.tensor([list(token_ids)], device=self.model.device)
            logprobs_LV = self.model(input_ids=ids_BL).logits[0, :-1].float().log_softmax(dim=-1)
            return logprobs_LV.gather(1, ids_BL[0, 1:, None]).squeeze(1).tolist()

    def _prefill(self, unit: Unit) -> tuple[Tensor, Tensor, DynamicCache]:
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

    def _samples(self, unit: Unit, rows: list[list[int]], logprobs: list[list[float]]) -> list[Sample]:
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
                )
            )
        return samples

    def _end_ids(self) -> set[int]:
        ends: Any = self.model.generation_config.eos_token_id
        if ends is None:
            ends = self.tokenizer.eos_token_id
        return {ends} if isinstance(ends, int) else set(ends)


@contextmanager
def evaluating(model: nn.Module):
    """Dropout off in the block."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def engine_of(
    config: Config,
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    temperature: float | None = None,
) -> TransformersEngine:
    """A run's engine on a model; at the training's temperature, unless another is given."""
    return TransformersEngine(
        model,
        tokenizer,
        temperature=config.trainer.temperature if temperature is None else temperature,
        max_completion_length=config.trainer.max_completion_length,
        threads=config.rollouts.threads,
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
