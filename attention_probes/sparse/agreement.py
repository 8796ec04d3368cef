"""Agreement: how near the log-probs of completions are to dense ones when their prompts are read sparsely."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from attention_probes.sparse.attention import sparse
from attention_probes.sparse.plan import SparsePlan

# Axes: P prompts of at most L tokens, B completions of at most T tokens, N completion tokens that are no padding.


@torch.no_grad()
def agreement(
    model: nn.Module,
    plan: SparsePlan,
    prompts: Mapping[str, Tensor],
    completions: Int[Tensor, "B T"],
    real: Bool[Tensor, "B T"],
    *,
    temperature: float = 1.0,
) -> tuple[Float[Tensor, " N"], float]:
    """Return exp(-|gap|) of every completion token's log-prob, 1 where both agree, and the density.

    `prompts` are `input_ids` and `attention_mask` (P, L), padded on the left; `completions` are padded on the right,
    B / P of each prompt, in order. As in sampling, the plan reads the prompts, and the completions read everything.
    """
    dense = _logprobs(model, prompts, completions, real, temperature)
    with sparse(model, plan) as attention:
        chosen = _logprobs(model, prompts, completions, real, temperature)
    assert attention is not None
    share = attention.mean_density()
    return (dense - chosen).abs().neg().exp()[real], 1.0 if share is None else share


def _logprobs(
    model: Any, prompts: Mapping[str, Tensor], completions: Tensor, real: Tensor, temperature: float
) -> Float[Tensor, "B T"]:
    """Return the completions' log-probs, each prompt read once."""
    prompt_ids, prompt_mask = prompts["input_ids"], prompts["attention_mask"]
    repeats, cache = len(completions) // len(prompt_ids), None
    if prompt_ids.shape[1] > 1:  # what is sampled first is predicted by the last token of the prompt
        cache = model(
            input_ids=prompt_ids[:, :-1],
            attention_mask=prompt_mask[:, :-1],
            position_ids=_positions(prompt_mask[:, :-1]),
            use_cache=True,
            logits_to_keep=1,
        ).past_key_values
        cache.batch_repeat_interleave(repeats)
    prompt_ids, prompt_mask = (values.repeat_interleave(repeats, dim=0) for values in (prompt_ids, prompt_mask))
    mask = torch.cat([prompt_mask, real[:, :-1].to(prompt_mask)], dim=1)
    logits = model(
        input_ids=torch.cat([prompt_ids[:, -1:], completions[:, :-1]], dim=1),
        attention_mask=mask,
        position_ids=_positions(mask)[:, -completions.shape[1] :],
        past_key_values=cache,
    ).logits
    return (logits.float() / temperature).log_softmax(dim=-1).gather(2, completions[..., None]).squeeze(2)


def _positions(mask: Tensor) -> Tensor:
    return (mask.cumsum(dim=1) - 1).clamp(min=0)
