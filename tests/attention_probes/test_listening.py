"""Listening: margins by hand, and their bounds whatever the attention."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_probes.constraint_attention import prompt_spans
from attention_probes.listening import WINDOW, listening_of, measure_listening, strongest_other
from attention_probes.record import ProbePlan, record_attention
from tests.attention_probes.tiny_decoders import padded_batch, tiny_model

SEGMENTS = ((0, 2), (2, 3))


def test_measure_listening__is_own_share_minus_the_strongest_others():
    # Shares of the tokens: (3/4, 1/4), (1/4, 3/4), (1/5, 4/5). Segment means: (1/2, 1/2) and (1/5, 4/5).
    # Column means are 1/2, so only the second constraint is preferred anywhere, in the second segment: 4/5 - 1/5.
    # The first is preferred nowhere: over all tokens, 2/3 * 0 + 1/3 * (1/5 - 4/5).
    heard = measure_listening(torch.tensor([[3.0, 1.0], [1.0, 3.0], [1.0, 4.0]]), SEGMENTS)
    assert heard.attention.flatten().tolist() == pytest.approx([0.5, 0.2, 0.5, 0.8])
    assert heard.margins.tolist() == pytest.approx([-0.2, 0.6])


def test_measure_listening__in_order_can_find_a_segment_that_listens_to_another_constraint():
    # Columns (0.6, 0.4) and (0.7, 0.3): in order the first segment is the first constraint's, the second the second's
    # (0.6 - 0.25 and 0.3 - 0.25 beat every other way), and in its segment the second gets 0.4 less than the first.
    relative = torch.tensor([[0.6, 0.4], [0.6, 0.4], [0.7, 0.3]])
    assert measure_listening(relative, SEGMENTS, in_order=True).margins.tolist() == pytest.approx([0.2, -0.4])


def test_measure_listening__has_no_margin_without_a_stated_rival():
    nan = torch.nan
    alone = measure_listening(torch.tensor([[2.0, nan], [1.0, nan], [1.0, nan]]), SEGMENTS)
    assert alone.margins.isnan().all()
    three = measure_listening(torch.tensor([[2.0, nan, 1.0], [1.0, nan, 2.0], [1.0, nan, 2.0]]), SEGMENTS)
    assert three.margins.isnan().tolist() == [False, True, False]


def test_strongest_other__leaves_out_the_row_itself():
    attention = torch.tensor([[0.5, 0.1], [0.3, 0.1], [0.2, 0.8]])
    assert strongest_other(attention).flatten().tolist() == pytest.approx([0.3, 0.8, 0.5, 0.8, 0.5, 0.1])


@given(st.integers(2, 5), st.integers(0, 10**6), st.booleans())
def test_measure_listening__margins_lie_between_minus_1_and_1(num_constraints, seed, in_order):
    relative = torch.rand(12, num_constraints, generator=torch.Generator().manual_seed(seed))
    heard = measure_listening(relative, ((0, 5), (5, 9), (9, 12)), in_order=in_order)
    assert (heard.margins.abs() <= 1.0).all()
    torch.testing.assert_close(heard.attention.sum(dim=0), torch.ones(3))
    torch.testing.assert_close(heard.alignment.sum(dim=1), torch.ones(num_constraints))


def test_listening_of__does_not_depend_on_padding():
    model, length = tiny_model("llama"), 60
    texts = {left: padded_batch(length + left, [(left, 0)]) for left in (0, 9)}
    texts[9]["input_ids"][:, 9:] = texts[0]["input_ids"]
    heard = []
    for left, batch in texts.items():
        position = torch.arange(length + left) - left
        stated = torch.stack([(position >= first) & (position < first + 5) for first in (2, 12)])
        spans = prompt_spans(stated[None], ((position >= 0) & (position < 20))[None])
        with torch.no_grad(), record_attention(model, ProbePlan(boundary_window=WINDOW), spans=spans) as recorder:
            model(**batch)
        heard += listening_of(recorder.read(), spans, (position >= 20)[None])
    assert [(start + 9, stop + 9) for start, stop in heard[0].segments] == list(heard[1].segments)
    torch.testing.assert_close(heard[0].margins, heard[1].margins, atol=1e-5, rtol=0)
