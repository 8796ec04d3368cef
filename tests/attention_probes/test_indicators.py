"""Indicators: equal the formulas over eager attention maps, and stay within their bounds."""

import math

import pytest
import torch

from attention_probes.indicators import INDICATORS, indicator_sums
from attention_probes.layer import LayerAttention
from attention_probes.record import ProbePlan, record_attention
from tests.attention_probes.tiny_decoders import CONFIGS, attention_maps, padded_batch, tiny_model

LAYERS = (1, 2)


def expected(heads: list[list[list[float]]], t: int, first: int) -> dict[str, float]:
    """The five numbers of query t, from each head's whole map; `first` is the first real token."""
    rows = [one[t] for one in heads]
    keys = range(len(rows[0]))
    mean = [sum(row[s] for row in rows) / len(rows) for s in keys]
    squares = sum(a * a for row in rows for a in row) / len(rows)
    entropy = sum(-a * math.log(a) for row in rows for a in row if a > 0) / len(rows)
    return {
        "entropy": entropy / math.log(max(2, t - first + 1)),
        "concentration": squares,
        # the heads' mean squared distance from their mean, over their mean square
        "head_diversity": sum((row[s] - mean[s]) ** 2 for row in rows for s in keys) / len(rows) / squares,
        "sink_mass": mean[first],
        "local_focus": sum(mean[s] for s in keys if 0 <= t - s <= 3),
    }


@pytest.mark.parametrize("family", CONFIGS)
def test_indicators__equal_eager_attention(family):
    model, batch = tiny_model(family), padded_batch(70, [(5, 3), (0, 0)])
    maps = attention_maps(model, batch, LAYERS)
    with torch.no_grad(), record_attention(model, ProbePlan(layers=LAYERS, indicators=True)) as recorder:
        model(**batch)
    indicators = recorder.read().indicators
    assert indicators is not None
    for layer in range(len(LAYERS)):
        for row, first, t in [(0, 5, 5), (0, 5, 6), (0, 5, 66), (1, 0, 0), (1, 0, 40), (1, 0, 69)]:
            want = expected(maps[layer, row].tolist(), t, first)
            got = {name: getattr(indicators, name)[layer, row, t].item() for name in INDICATORS}
            assert got == pytest.approx(want, abs=1e-5)
        for name in INDICATORS:
            values = getattr(indicators, name)[layer]
            assert not values[0, :5].any() and not values[0, 67:].any()  # padding
            assert values.min() >= -1e-6 and values.max() <= 1.0 + 1e-5


def test_head_diversity__is_0_for_equal_heads_and_largest_for_heads_apart():

    # Two tokens, two heads of one dimension; a logit of +-40 leaves nothing for the other key.
    key = torch.tensor([[[[1.0], [-1.0]], [[1.0], [-1.0]]]])
    for signs, diversity in (((40.0, 40.0), 0.0), ((40.0, -40.0), 0.5)):
        query = torch.tensor(signs).view(1, 2, 1, 1).expand(1, 2, 2, 1)
        layer = LayerAttention(query=query, key=key, mask=None, scale=1.0)
        assert indicator_sums(layer)["head_diversity"][0].tolist() == pytest.approx([0.0, diversity], abs=1e-6)
