"""Margins: what each answer to a problem listened to, read by one forward pass an answer."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from attention_probes.constraint_attention import prompt_spans
from attention_probes.listening import WINDOW, Listening, listening_of
from attention_probes.record import ProbePlan, record_attention
from data.problems import Problem
from rl.credit.evidence import constraint_passages
from rl.models.eval_mode import eval_mode
from rl.models.tokenization import encode_problems

# Axes: C constraints, P prompt tokens, S of prompt and answer; one text at a time, so B = 1.

PLAN = ProbePlan(boundary_window=WINDOW)


def margins_of(
    policy: Any, tokenizer: PreTrainedTokenizerBase, problem: Problem, answers: Sequence[str]
) -> list[list[float]]:
    """Return, for each answer, each constraint's margin (`Listening.margins`); NaN throughout for an empty answer."""
    [prompt] = encode_problems(tokenizer, [problem])
    encoded = [list(tokenizer(answer, add_special_tokens=False)["input_ids"]) for answer in answers]
    undefined = [torch.nan] * len(problem.constraints)
    return [
        listen(policy, tokenizer, problem, prompt, answer).margins.tolist() if answer else undefined
        for answer in encoded
    ]


@torch.no_grad()
def listen(
    policy: Any, tokenizer: PreTrainedTokenizerBase, problem: Problem, prompt: Sequence[int], answer: Sequence[int]
) -> Listening:
    """Return what the segments of one tokenized answer attend to."""
    ids_1S = torch.tensor([[*prompt, *answer]], device=policy.device)
    response_1S = (torch.arange(ids_1S.shape[1]) >= len(prompt))[None]
    stated_1CS = torch.zeros(1, len(problem.constraints), ids_1S.shape[1], dtype=torch.bool)
    stated_1CS[0, :, : len(prompt)] = torch.tensor(constraint_passages(tokenizer, problem, prompt))
    spans = prompt_spans(stated_1CS, ~response_1S)
    with eval_mode(policy), record_attention(policy, PLAN, spans=spans.to(policy.device)) as recorder:
        policy(input_ids=ids_1S, use_cache=False, logits_to_keep=1)
    [heard] = listening_of(recorder.read().cpu(), spans, response_1S)
    return heard
