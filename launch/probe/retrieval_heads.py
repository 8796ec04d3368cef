"""Retrieval heads: the heads that copy a hidden sentence out of the prompt (arXiv 2404.15574)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from attention_probes.heads import Head, HeadScoreFitter, copy_scores
from attention_probes.record import ProbePlan, record_attention
from data.needles import NeedleTest
from launch.probe.text import probed_text
from rl.models.tokenization import completion_spans, tokens_overlapping

# Axes: S tokens of prompt and answer; one test at a time, so B = 1.


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrievalHeads:
    """The heads above the threshold with their scores, best first, and how often the model itself retrieved the needle.

    Example:
        RetrievalHeads(scores={(12, 3): 0.61, (15, 0): 0.2}, recall=0.9)
    """

    scores: dict[Head, float]
    recall: float
    """Share of the tests that the model passed; only those count for the heads."""


def find_retrieval_heads(
    policy: Any, tokenizer: PreTrainedTokenizerBase, tests: Iterable[NeedleTest], *, threshold: float = 0.1
) -> RetrievalHeads:
    """Score every head of every layer on needle tests, read teacher-forced over the correct answer.

    The model passes a test if it predicts at least half of the copied tokens. No head has a score if the model passed
    no test.
    """
    layers = tuple(range(policy.config.get_text_config().num_hidden_layers))
    fitter, passed = HeadScoreFitter(layers), []
    for test in tests:
        scores, share_predicted = _score_test(policy, tokenizer, test, layers)
        passed.append(share_predicted >= 0.5)
        if passed[-1]:
            fitter.update(scores, weight=1)
    if not any(passed):
        return RetrievalHeads(scores={}, recall=0.0)
    table = fitter.scores()
    heads = {(layer, head): round(table[layer, head].item(), 4) for layer, head in fitter.above(threshold)}
    return RetrievalHeads(scores=heads, recall=sum(passed) / len(passed))


def _score_test(
    policy: Any, tokenizer: PreTrainedTokenizerBase, test: NeedleTest, layers: tuple[int, ...]
) -> tuple[Tensor, float]:
    """Return (copy scores (L, H), share of the copied tokens that the model predicts)."""
    answer = test.opening + test.copied
    text = probed_text(tokenizer, policy, test.prompt, answer, [test.copied.strip()], max_new_tokens=0)
    ids, start = torch.tensor([text.ids]), text.num_prompt_tokens
    with torch.no_grad(), record_attention(policy, ProbePlan(layers=layers, per_head=True)) as recorder:
        output = policy(input_ids=ids.to(policy.device), use_cache=False, logits_to_keep=ids.shape[1] - start + 1)
    heads = recorder.read().cpu().heads
    assert heads is not None
    spans = completion_spans(tokenizer, text.ids[start:])
    copied_T = torch.tensor(tokens_overlapping(spans, [(len(test.opening), len(answer))]))
    # The query before a token generates it, so the last query generates nothing.
    predicted_T = output.logits[0, :-1].argmax(dim=-1).cpu() == ids[0, start:]
    needle = torch.tensor([text.constraints[test.copied.strip()]])
    copied = torch.nn.functional.pad(copied_T, (start, 0))[None]
    return copy_scores(heads.top_key, ids, needle, copied), predicted_T[copied_T].float().mean().item()
