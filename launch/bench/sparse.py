"""`heed bench sparse`: time and memory of reading a long prompt by each sparse plan, and what it costs in quality."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import track
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from attention_probes.sparse.attention import SparseAttention, sparse
from attention_probes.sparse.plan import SparsePlan
from data.needles import needle_test
from data.problems import from_row
from launch.bench.peak_memory import PeakMemory
from launch.bench.stopwatch import seconds_of
from rl.common.errors import UserError
from rl.config.rollouts import SparseConfig
from rl.models.load import load_model, load_tokenizer, resolve_dtype
from rl.models.tokenization import encode_problems
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.sparse_gate import QUANTILE, sparse_plan
from rl.rollouts.types import RolloutRequest

# Axes: S tokens of a prompt but for its last, T of an answer or a completion, V vocabulary.

PLANS: tuple[str, ...] = get_args(get_args(SparseConfig.model_fields["plan"].annotation)[0])
COMPLETION_TOKENS = 64
"""Of a completion of each text, sampled with dense attention, whose log-probs are compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LongText:
    """A needle test as token ids: the text with the question, the answer, and what the model itself writes.

    Example:
        LongText(prompt=(1, 52, 7), answer=(12, 2), num_copied=1, completion=(31, 2))
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    num_copied: int
    """How many tokens at the end of the answer are the needle, which the model is to copy from the text."""
    completion: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One prompt read in one way, and what follows from it."""

    seconds: float
    """Of the pass that fills the cache."""
    peak: int
    logprobs: Tensor
    """Of the completion's tokens."""
    found: bool
    """At least half of the needle's tokens are the likeliest ones."""
    density: float


def bench_sparse(
    model: str,
    lengths: Sequence[int] = (1024, 2048, 4096, 8192),
    *,
    plans: Sequence[str] = PLANS,
    tests: int = 4,
    block: int = 64,
    blocks: int = 8,
) -> list[dict[str, Any]]:
    """Return a row for each length and plan: time and memory over dense, density, agreement and needles found.

    The texts are `tests` needle tests of about that length, one a pass; dense and sparse passes alternate, and every
    second text in reverse, so that drift favours neither. The time ratio is the median over the texts. As in sampling,
    a plan reads the prompt, and what follows reads everything.
    """
    policy, tokenizer = load_model(model, dtype=resolve_dtype("auto")).requires_grad_(False), load_tokenizer(model)
    if unknown := sorted(set(plans) - set(PLANS)):
        raise UserError(f"--plan {', '.join(unknown)}: the plans are {', '.join(PLANS)}")
    settings = [SparseConfig(plan=plan, block=block, blocks=blocks) for plan in plans]  # pyright: ignore[reportArgumentType]
    rows = []
    for length in track(lengths, "lengths", console=Console(stderr=True), transient=True):
        texts = [_completed(policy, tokenizer, text) for text in long_texts(tokenizer, length, tests)]
        # To sample the completions has warmed up.
        rows += [_row(policy, texts, length, sparse_plan(one)) for one in settings]
    return rows


def long_texts(tokenizer: PreTrainedTokenizerBase, length: int, count: int) -> list[LongText]:
    """Return needle tests of at most `length` tokens, and nearly as many."""
    per_sentence = (_tokens(tokenizer, 0, 64) - _tokens(tokenizer, 0, 1)) / 63
    sentences = max(1, int((length - _tokens(tokenizer, 0, 1)) / per_sentence * 0.97))
    return [_long_text(tokenizer, index, sentences) for index in range(count)]


def _tokens(tokenizer: PreTrainedTokenizerBase, index: int, sentences: int) -> int:
    text = _long_text(tokenizer, index, sentences)
    return len(text.prompt) + len(text.answer)


def _long_text(tokenizer: PreTrainedTokenizerBase, index: int, sentences: int) -> LongText:
    test = needle_test(0, index, num_sentences=sentences)
    [prompt] = encode_problems(tokenizer, [from_row({"prompt": test.prompt})])
    opening, copied = (
        list(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in (test.opening, test.copied)
    )
    return LongText(prompt=prompt, answer=(*opening, *copied), num_copied=len(copied))


def _completed(policy: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: LongText) -> LongText:
    """Return the text with a completion by dense attention, at temperature 1."""
    engine = TransformersEngine(
        policy, tokenizer, GenerationConfig(temperature=1.0, max_completion_length=COMPLETION_TOKENS)
    )
    request = RolloutRequest(position=0, prompts=(text.prompt,), num_generations=1, version=0, seed=0)
    [sample] = engine.sample(request)
    return replace(text, completion=sample.completion_ids)


def _row(policy: PreTrainedModel, texts: Sequence[LongText], length: int, plan: SparsePlan) -> dict[str, Any]:
    pairs: list[tuple[Reading, Reading]] = []
    for index, text in enumerate(texts):
        order = (None, plan) if index % 2 == 0 else (plan, None)
        readings = {one is None: _read(policy, text, one) for one in order}
        pairs.append((readings[True], readings[False]))
    ratios = [sparsely.seconds / dense.seconds for dense, sparsely in pairs]
    agreement = torch.cat([(dense.logprobs - sparsely.logprobs).abs().neg().exp() for dense, sparsely in pairs])
    return {
        "tokens": length,
        "plan": plan.name,
        "time_ratio": round(statistics.median(ratios), 3),
        "time_ratio_spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "dense_seconds": round(statistics.median(dense.seconds for dense, _ in pairs), 2),
        "memory_ratio": round(statistics.median(sparsely.peak / max(dense.peak, 1) for dense, sparsely in pairs), 3),
        "density": round(statistics.fmean(sparsely.density for _, sparsely in pairs), 3),
        "agreement_p5": round(agreement.quantile(QUANTILE).item(), 3),
        "agreement_median": round(agreement.median().item(), 3),
        "needles_dense": round(statistics.fmean(dense.found for dense, _ in pairs), 3),
        "needles": round(statistics.fmean(sparsely.found for _, sparsely in pairs), 3),
    }


@torch.no_grad()
def _read(policy: PreTrainedModel, text: LongText, plan: SparsePlan | None) -> Reading:
    prompt_1S, caches = torch.tensor([text.prompt[:-1]], device=policy.device), []

    def fill() -> None:
        caches.append(policy(input_ids=prompt_1S, use_cache=True, logits_to_keep=1).past_key_values)

    memory, density = PeakMemory(), 1.0
    with sparse(policy, plan) as attention:
        memory.start()
        seconds = seconds_of(fill)
        peak = memory.peak()
    if isinstance(attention, SparseAttention):
        density = attention.mean_density() or 1.0
    answer_TV = _next_logits(policy, caches[0], text.prompt[-1], text.answer)[-text.num_copied :]
    needle_T = torch.tensor(text.answer[-text.num_copied :], device=policy.device)
    logprobs_TV = _next_logits(policy, caches[0], text.prompt[-1], text.completion).log_softmax(dim=-1)
    written_T1 = torch.tensor(text.completion, device=policy.device)[:, None]
    return Reading(
        seconds=seconds,
        peak=peak,
        logprobs=logprobs_TV.gather(1, written_T1).squeeze(1).cpu(),
        found=bool((answer_TV.argmax(dim=-1) == needle_T).float().mean() >= 0.5),
        density=density,
    )


def _next_logits(
    policy: PreTrainedModel, cache: DynamicCache, last: int, tokens: Sequence[int]
) -> Float[Tensor, "T V"]:
    """Return the logits that predict each of the tokens behind the prompt, whose cache is as before afterwards."""
    ids_1T = torch.tensor([[last, *tokens[:-1]]], device=policy.device)
    logits_TV = policy(input_ids=ids_1T, past_key_values=cache).logits[0].float()
    cache.crop(-len(tokens))
    return logits_TV
