"""Calibration texts: a model's own answers to built-in prompts, on which probes are calibrated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from attention_probes.record import ProbePlan, Readings, record_attention
from data.expansion import instruction_problem
from data.problems import Problem
from rl.models.load import end_token_ids
from rl.models.tokenization import adds_special_tokens, prompt_text

BATCH_SIZE = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationTexts:
    """A batch of prompts and answers in the host's memory; each tensor is (B, S)."""

    ids: Tensor
    real: Tensor
    """False at padding."""
    completion: Tensor
    """True at the answer's tokens."""


def generate_calibration_texts(
    policy: Any, tokenizer: PreTrainedTokenizerBase, *, num_prompts: int, max_new_tokens: int, seed: int
) -> Iterator[CalibrationTexts]:
    """Yield batches of built-in prompts with the policy's answers to them."""
    problems = [instruction_problem(seed, index) for index in range(num_prompts)]
    yield from answer_problems(policy, tokenizer, problems, max_new_tokens=max_new_tokens)


def answer_problems(
    policy: Any, tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem], *, max_new_tokens: int
) -> Iterator[CalibrationTexts]:
    """Yield batches of prompts with answers sampled at temperature 0.7, as in the analysis of arXiv 2510.13554."""
    for start in range(0, len(problems), BATCH_SIZE):
        messages = [list(problem.messages) for problem in problems[start : start + BATCH_SIZE]]
        yield _answer(policy, tokenizer, messages, max_new_tokens)


def _answer(
    policy: Any, tokenizer: PreTrainedTokenizerBase, messages: list[Any], max_new_tokens: int
) -> CalibrationTexts:
    texts, special = [prompt_text(tokenizer, chat) for chat in messages], adds_special_tokens(tokenizer)
    prompts = tokenizer(texts, add_special_tokens=special, padding=True, padding_side="left", return_tensors="pt")
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        ids = policy.generate(
            **prompts.to(policy.device),
            do_sample=True,
            temperature=0.7,
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
        ).cpu()
    length = prompts["input_ids"].shape[1]
    answer = ids[:, length:]
    # A row ends with its first end token; what follows is padding.
    ends = torch.isin(answer, torch.tensor(list(end_token_ids(policy, tokenizer)))).long()
    real = torch.cat([prompts["attention_mask"].bool().cpu(), ends.cumsum(dim=1) == ends], dim=1)
    return CalibrationTexts(ids=ids, real=real, completion=real & (torch.arange(ids.shape[1]) >= length))


def read_calibration_texts(policy: Any, batch: CalibrationTexts, plan: ProbePlan) -> Readings:
    """Record one forward pass over the batch, prompts included; the readings are in the host's memory."""
    ids, mask = batch.ids.to(policy.device), batch.real.long().to(policy.device)
    with torch.no_grad(), record_attention(policy, plan) as recorder:
        policy(input_ids=ids, attention_mask=mask, logits_to_keep=1, use_cache=False)
    return recorder.read().cpu()
