"""`heed probe calibrate`: which of a model's heads attend nearby, attend far back, copy, or only sink."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from attention_probes.heads import (
    HeadRoles,
    HeadScoreFitter,
    distance_beyond_first,
    head_spans,
    jaccard,
    sink_columns,
    sink_strengths,
)
from attention_probes.plan import middle_layers
from attention_probes.record import ProbePlan
from attention_probes.recorder import HeadReadings
from data.needles import needle_test
from launch.probe.calibration_texts import CalibrationTexts, generate_calibration_texts, read_calibration_texts
from launch.probe.retrieval_heads import find_retrieval_heads
from rl.config.model import ModelConfig
from rl.models.load import configured_tokenizer, load_model

NUM_COLUMNS = 5
"""The most common sink columns that are reported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadTally:
    """Running scores of each head over the batches read so far."""

    spans: HeadScoreFitter
    sinks: HeadScoreFitter
    columns: Counter[tuple[int, int]]
    """Number of heads that sink at (position behind the padding, token)."""

    @classmethod
    def empty(cls, layers: tuple[int, ...]) -> "HeadTally":
        """Return a tally of no batch."""
        return cls(spans=HeadScoreFitter(layers), sinks=HeadScoreFitter(layers), columns=Counter())

    def add(self, heads: HeadReadings, batch: CalibrationTexts, *, ignore_first: bool) -> None:
        """Add one batch: spans weigh by the tokens of the answers, sinks by texts."""
        distance = heads.distance
        if ignore_first:
            distance = distance_beyond_first(distance, heads.first_mass, batch.real)
        self.spans.update(head_spans(distance, batch.completion), weight=int(batch.completion.sum()))
        self.sinks.update(sink_strengths(heads.received, batch.real), weight=len(batch.ids))
        self.columns.update(count_sinks(batch.ids, batch.real, sink_columns(heads.received, batch.real)))

    def most_common_sinks(self, tokenizer: PreTrainedTokenizerBase) -> list[dict[str, Any]]:
        """Return the columns that most heads sink at, with their share of all."""
        return [
            {"position": position, "token": tokenizer.decode([token]), "share": round(count / self.columns.total(), 4)}
            for (position, token), count in self.columns.most_common(NUM_COLUMNS)
        ]


def calibrate_heads(
    model: str,
    *,
    out: Path,
    template_values: dict[str, Any] | None = None,
    layers: tuple[int, ...] | None = None,
    share: float = 0.3,
    num_prompts: int = 32,
    max_new_tokens: int = 64,
    num_needles: int = 16,
    seed: int = 0,
    ignore_first: bool = False,
    against: Path | None = None,
) -> dict[str, Any]:
    """Let the model answer built-in prompts, fit head roles on its answers, and save them to `out`.

    `ignore_first` ranks heads by their attention to other tokens than the first, which is most heads' sink.
    Returns the roles, each head's span, the sink heads and columns, the retrieval heads of all layers by `num_needles`
    needle tests, and with `against` (roles of an earlier checkpoint) the Jaccard overlap of each role.
    """
    tokenizer = configured_tokenizer(ModelConfig(name=model, chat_template_kwargs=template_values or {}))
    policy = load_model(model)
    layers = layers or middle_layers(policy.config.get_text_config().num_hidden_layers)
    texts = generate_calibration_texts(
        policy, tokenizer, num_prompts=num_prompts, max_new_tokens=max_new_tokens, seed=seed
    )
    tally = tally_heads(policy, texts, layers, ignore_first=ignore_first)
    roles = tally.spans.roles(share)
    out.parent.mkdir(parents=True, exist_ok=True)
    roles.save(out)
    retrieval = find_retrieval_heads(policy, tokenizer, (needle_test(seed, index) for index in range(num_needles)))
    return {
        "model": model,
        **_roles_summary(roles, tally.spans, None if against is None else HeadRoles.load(against)),
        "sink_heads": tally.sinks.above(),
        "sink_columns": tally.most_common_sinks(tokenizer),
        "retrieval_heads": [
            {"layer": layer, "head": head, "score": score} for (layer, head), score in retrieval.scores.items()
        ],
        "needle_recall": retrieval.recall,
    }


def tally_heads(
    policy: Any, texts: Iterable[CalibrationTexts], layers: tuple[int, ...], *, ignore_first: bool
) -> HeadTally:
    """Return the scores of each head of the layers over texts."""
    tally = HeadTally.empty(layers)
    for batch in texts:
        heads = read_calibration_texts(policy, batch, ProbePlan(layers=layers, per_head=True)).heads
        assert heads is not None
        tally.add(heads, batch, ignore_first=ignore_first)
    return tally


def count_sinks(ids: Tensor, real: Tensor, columns: Tensor) -> Counter[tuple[int, int]]:
    """Count the sinks of all heads in all texts at each (position behind the padding, token)."""
    position_BS, count_BS = real.long().cumsum(dim=1) - 1, columns.sum(dim=(0, 2))
    counts: Counter[tuple[int, int]] = Counter()
    rows = (table.flatten().tolist() for table in (position_BS, ids, count_BS))
    for position, token, count in zip(*rows, strict=True):
        counts[position, token] += count
    return +counts


def _roles_summary(roles: HeadRoles, spans: HeadScoreFitter, earlier: HeadRoles | None) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "layers": spans.layers,
        "local_heads": roles.local_heads,
        "global_heads": roles.global_heads,
        "head_spans": spans.scores().tolist(),
    }
    if earlier is not None:
        summary["local_jaccard"] = jaccard(roles.local_heads, earlier.local_heads)
        summary["global_jaccard"] = jaccard(roles.global_heads, earlier.global_heads)
    return summary
