"""`heed probe calibrate`: which of a model's heads look nearby, which look far, and which only sink."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from attention_probes.heads import (
    HeadRoles,
    HeadScoreFitter,
    distance_beyond_first,
    head_spans,
    jaccard,
    sink_strengths,
)
from attention_probes.listen import ProbePlan, listen
from attention_probes.plan import middle_layers
from data.expansion import instruction_problem
from rl.models import load_model, load_tokenizer

BATCH = 8


def calibrate_heads(
    model: str,
    *,
    out: Path,
    layers: tuple[int, ...] | None = None,
    share: float = 0.3,
    num_prompts: int = 32,
    max_new_tokens: int = 64,
    seed: int = 0,
    ignore_first: bool = False,
    against: Path | None = None,
) -> dict[str, Any]:
    """Let the model answer prompts of our own, fit head roles on its answers, and save them to `out`.

    `ignore_first` ranks heads by what they look at besides the first token, which is most heads' sink.
    Returns the roles, each head's span, the sink heads, and with `against` (roles of an earlier checkpoint) how many
    heads kept their role, as Jaccard overlap.
    """
    tokenizer, policy = load_tokenizer(model), load_model(model)
    chosen = layers or middle_layers(policy.config.get_text_config().num_hidden_layers)
    spans, sinks = HeadScoreFitter(chosen), HeadScoreFitter(chosen)
    for start in range(0, num_prompts, BATCH):
        indices = range(start, min(start + BATCH, num_prompts))
        messages = [list(instruction_problem(seed, index).messages) for index in indices]
        ids, real, written = _answered(policy, tokenizer, messages, max_new_tokens)
        with torch.no_grad(), listen(policy, ProbePlan(layers=chosen, per_head=True)) as tape:
            policy(input_ids=ids, attention_mask=real.long(), logits_to_keep=1, use_cache=False)
        heads = tape.read().heads
        assert heads is not None
        distance = distance_beyond_first(heads.distance, heads.first_mass, real) if ignore_first else heads.distance
        spans.update(head_spans(distance, written), weight=int(written.sum()))
        sinks.update(sink_strengths(heads.received, real), weight=len(ids))
    roles = spans.roles(share)
    out.parent.mkdir(parents=True, exist_ok=True)
    roles.save(out)
    return _summary(model, roles, spans, sinks, None if against is None else HeadRoles.load(against))


def _answered(
    policy: Any, tokenizer: PreTrainedTokenizerBase, messages: list[Any], max_new_tokens: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Sampled at temperature 0.7, as in the paper's analysis: ids (B, S), which are real, and which are the answer."""
    texts = [str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)) for chat in messages]
    prompts = tokenizer(texts, add_special_tokens=False, padding=True, padding_side="left", return_tensors="pt")
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        ids = policy.generate(
            **prompts,
            do_sample=True,
            temperature=0.7,
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
    length = prompts["input_ids"].shape[1]
    answer = ids[:, length:]
    # A row ends with its first end-of-text token; what follows is padding.
    ended = (answer == tokenizer.eos_token_id).long().cumsum(dim=1) - (answer == tokenizer.eos_token_id).long()
    real = torch.cat([prompts["attention_mask"].bool(), ended == 0], dim=1)
    return ids, real, real & (torch.arange(ids.shape[1]) >= length)


def _summary(
    model: str, roles: HeadRoles, spans: HeadScoreFitter, sinks: HeadScoreFitter, earlier: HeadRoles | None
) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "model": model,
        "layers": spans.layers,
        "local_heads": roles.local_heads,
        "global_heads": roles.global_heads,
        "head_spans": spans.scores().tolist(),
        "sink_heads": sinks.above(),
    }
    if earlier is not None:
        summary["local_jaccard"] = jaccard(roles.local_heads, earlier.local_heads)
        summary["global_jaccard"] = jaccard(roles.global_heads, earlier.global_heads)
    return summary
