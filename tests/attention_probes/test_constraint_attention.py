"""Constraint attention: units by hand, and a unit that a longer context alone does not change."""

import pytest
import torch

from attention_probes.constraint_attention import (
    attention_drop,
    constraint_attention,
    mean_over,
    prompt_spans,
    summarize,
)
from attention_probes.layer import LayerAttention
from attention_probes.record import ProbePlan, record_attention
from attention_probes.statistics import span_mass
from tests.attention_probes.tiny_decoders import attention_maps, padded_batch, tiny_model


def mask(length: int, start: int, stop: int) -> torch.Tensor:
    return (torch.arange(length) >= start) & (torch.arange(length) < stop)


def uniform_reading(length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Spans and masses of uniform attention; the prompt is 0-5, its one constraint 2-3."""
    spans = prompt_spans(mask(length, 2, 4)[None, None], mask(length, 0, 6)[None])
    nothing = torch.zeros(1, 1, length, 1)
    layer = LayerAttention(query=nothing, key=nothing, mask=None, scale=1.0)
    return spans, span_mass(layer, torch.ones(1, 1), spans)[None]


def test_prompt_spans__other_tokens_exclude_constraints_and_the_first_token():
    spans, _ = uniform_reading(9)
    assert [span.nonzero().flatten().tolist() for span in spans[0]] == [[2, 3], [0, 1, 2, 3, 4, 5], [1, 4, 5]]


def test_constraint_attention__uniform_attention_in_all_four_units():
    # The query at 9 pays 1/10 to each of ten tokens: 2/10 to the constraint, 6/10 to the prompt.
    spans, mass = uniform_reading(10)
    reading = constraint_attention(mass, spans)
    by_unit = [values[0, 0, 0, 9, 0].item() for values in (reading.mass, reading.per_token, reading.prompt_share)]
    assert by_unit == pytest.approx([0.2, 0.1, 1 / 3])
    assert reading.relative[0, 0, 0, 9, 0].item() == pytest.approx(1.0)


def test_attention_drop__relative_unit_ignores_a_longer_context():
    # Uniform attention over 10 and over 40 tokens: the paper's unit drops from 1/10 to 1/40, the relative one does not.
    betas = []
    for length in (10, 40):
        spans, mass = uniform_reading(length)
        reading = constraint_attention(mass, spans)
        last = mask(length, length - 1, length)[None]
        betas.append((mean_over(reading.per_token, last), mean_over(reading.relative, last)))
    (direct, direct_relative), (thinking, thinking_relative) = betas
    assert attention_drop(direct, thinking).item() == pytest.approx(1 / 10 - 1 / 40)
    assert attention_drop(direct_relative, thinking_relative).item() == pytest.approx(0.0, abs=1e-5)


def test_mean_over__no_token_is_undefined():
    assert mean_over(torch.ones(1, 1, 1, 3, 1), torch.zeros(1, 3, dtype=torch.bool)).isnan().all()


def test_summarize__mean_peak_and_threshold_by_hand():
    # Six tokens, completion 4-5; constraints 0 and 1 are tokens 1 and 2; beside the first, token 3 is the only other.
    spans = prompt_spans(torch.stack([mask(6, 1, 2), mask(6, 2, 3)])[None], mask(6, 0, 4)[None])
    # Masses on (constraint 0, constraint 1, prompt, other): relative to the other 2 and 1/2, then 4 and 1/4.
    mass = torch.zeros(1, 1, 1, 6, 4)
    mass[0, 0, 0, 4] = torch.tensor([0.4, 0.1, 0.9, 0.2])
    mass[0, 0, 0, 5] = torch.tensor([0.4, 0.025, 0.7, 0.1])
    summary = summarize(constraint_attention(mass, spans), mask(6, 4, 6)[None])
    assert summary.mean[0].tolist() == pytest.approx([3.0, 0.375])
    assert summary.peak[0].tolist() == pytest.approx([4.0, 0.5])
    assert summary.peak_token.tolist() == [[5, 4]]
    assert summary.attended.tolist() == [[True, False]]


def test_attention_drop__equals_that_of_whole_maps():
    # A prompt of 8 tokens, its constraint 2-4, an answer of 4; the second condition thinks for 9 tokens before it.
    model, layers = tiny_model("llama"), (1, 2)
    prompt, thought, answer = (padded_batch(length, [(0, 0)], seed=length)["input_ids"] for length in (8, 9, 4))
    betas, wanted = [], []
    for parts in ([prompt, answer], [prompt, thought, answer]):
        ids = torch.cat(parts, dim=1)
        length = ids.shape[1]
        spans = prompt_spans(mask(length, 2, 5)[None, None], mask(length, 0, 8)[None])
        with torch.no_grad(), record_attention(model, ProbePlan(layers=layers), spans=spans) as recorder:
            model(input_ids=ids)
        mass = recorder.read().span_mass
        assert mass is not None
        answered = mask(length, length - 4, length)[None]
        betas.append(mean_over(constraint_attention(mass, spans).per_token, answered))
        maps = attention_maps(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, layers)
        wanted.append(maps[:, 0, :, -4:, 2:5].mean(dim=(1, 2, 3)))
    drop = attention_drop(*betas)[:, 0]
    torch.testing.assert_close(drop, wanted[0] - wanted[1], atol=1e-6, rtol=0)
    assert drop.abs().min() > 1e-4
