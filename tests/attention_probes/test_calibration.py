"""Calibration: rows keep their sum, decoding equals a whole pass, off is identical, and gradients flow."""

import copy
import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from attention_probes.calibrated_rows import calibrate_rows
from attention_probes.calibration import Calibration
from attention_probes.heads import HeadRoles
from attention_probes.record import record_attention
from attention_probes.sink_calibrator import calibrated, calibrated_cache
from tests.attention_probes.tiny_decoders import CONFIGS, attention_maps, padded_batch, tiny_model

HEADS = ((0, 1), (1, 0), (1, 3), (2, 2))
EAGER = Calibration(heads=HEADS, threshold=0.03, min_queries=4)
"""A threshold that random attention passes often."""


def logits(model, batch, calibration=EAGER) -> Tensor:
    with torch.no_grad(), calibrated(model, calibration):
        return model(**batch).logits


def test_calibrate_rows__gives_what_is_removed_to_the_others():
    # One row (0.5 first, 0.3 sink, 0.2): beta 0.4 removes 0.18 of the sink's 0.3.
    attention = torch.tensor([[[[0.5, 0.3, 0.2]]]])
    first, sinks = torch.tensor([[[[True, False, False]]]]), torch.tensor([[[[False, True, False]]]])
    row, changed = calibrate_rows(attention, sinks, first, Calibration(heads=()))
    assert row.flatten().tolist() == pytest.approx([0.5, 0.12, 0.38]) and changed.all()
    # With the first token among the others they get 0.18 in proportion 5 to 2.
    row, _ = calibrate_rows(attention, sinks, first, Calibration(heads=(), first_receives=True))
    assert row.flatten().tolist() == pytest.approx([0.5 + 0.18 * 5 / 7, 0.12, 0.2 + 0.18 * 2 / 7])
    # A row with nothing to give to keeps its sinks.
    row, changed = calibrate_rows(torch.tensor([[[[0.5, 0.5, 0.0]]]]), sinks, first, Calibration(heads=()))
    assert row.flatten().tolist() == [0.5, 0.5, 0.0] and not changed.any()


def expected_row(rows: list[list[float]], t: int, start: int, calibration: Calibration) -> list[float]:
    """Row t of one head, calibrated: sinks by the mean over the rows up to t; the text begins at `start`."""
    columns = range(len(rows[t]))
    sinks = [
        s
        for s in columns
        if start < s <= t
        and t - s + 1 >= calibration.min_queries
        and sum(rows[r][s] for r in range(s, t + 1)) / (t - s + 1) > calibration.threshold
    ]
    removed = (1 - calibration.beta) * sum(rows[t][s] for s in sinks)
    receivers = [s for s in columns if s not in sinks and (s != start or calibration.first_receives)]
    rest = sum(rows[t][s] for s in receivers)
    gain = 1 + removed / rest if rest > 1e-4 else 1.0
    beta = calibration.beta if rest > 1e-4 else 1.0
    return [rows[t][s] * (beta if s in sinks else gain if s in receivers else 1.0) for s in columns]


@pytest.mark.parametrize("first_receives", [False, True])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_calibrated__maps_are_the_formula_and_sum_to_1(family, first_receives):
    model, batch = copy.deepcopy(tiny_model(family)), padded_batch(80, [(7, 3), (0, 0)])
    calibration = Calibration(heads=((0, 1), (0, 2)), threshold=0.03, min_queries=4, first_receives=first_receives)
    before = attention_maps(model, batch, (0,))[0]
    model.set_attn_implementation("eager")
    with torch.no_grad(), calibrated(model, calibration):
        after = model(**batch, output_attentions=True).attentions[0]
    torch.testing.assert_close(after.sum(dim=-1)[1], torch.ones(4, 80))
    assert torch.equal(after[1, [0, 3]], before[1, [0, 3]])  # heads that are not calibrated
    changed = 0
    for row, start, head, t in [(0, 7, 1, 60), (0, 7, 2, 76), (1, 0, 1, 3), (1, 0, 1, 70), (1, 0, 2, 79)]:
        want = expected_row(before[row, head].tolist(), t, start, calibration)
        assert after[row, head, t].tolist() == pytest.approx(want, abs=1e-5)
        changed += want != pytest.approx(before[row, head, t].tolist(), abs=1e-3)
    assert changed


@pytest.mark.parametrize("family", CONFIGS)
def test_calibrated__decoding_equals_a_whole_pass(family):
    model, batch = tiny_model(family), padded_batch(40, [(6, 0), (0, 0)])
    whole = logits(model, batch)
    plain = logits(model, batch, None)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    # gpt2's learnt positions count padding in a pass without position_ids
    named = {"position_ids": positions}
    with torch.no_grad(), calibrated(model, EAGER):
        whole = model(**batch, **named).logits
        cache, parts = calibrated_cache(model, model.config), []
        for start, stop in pairwise([0, 25, *range(26, 41)]):
            step = {"input_ids": ids[:, start:stop], "attention_mask": mask[:, :stop]}
            parts.append(model(**step, position_ids=positions[:, start:stop], past_key_values=cache).logits)
    real = mask.bool()
    torch.testing.assert_close(torch.cat(parts, dim=1)[real], whole[real], atol=2e-4, rtol=1e-4)
    assert (whole - plain)[real].abs().max() > 1e-3


def test_calibrated__does_not_look_at_later_tokens():
    model, batch = tiny_model("llama"), padded_batch(90, [(5, 0), (0, 0)])
    changed = {**batch, "input_ids": batch["input_ids"].clone()}
    changed["input_ids"][:, 50:] = (batch["input_ids"][:, 50:] + 7) % 49 + 1
    assert torch.equal(logits(model, batch)[:, :50], logits(model, changed)[:, :50])


def test_calibrated__follows_rows_that_are_repeated_and_left_out():
    model, batch = tiny_model("llama"), padded_batch(30, [(4, 0), (0, 0)])
    new = torch.tensor([[3], [8], [9], [2]])
    mask = torch.nn.functional.pad(batch["attention_mask"].repeat_interleave(2, dim=0), (0, 1), value=1)
    ids = torch.cat([batch["input_ids"].repeat_interleave(2, dim=0), new], dim=1)
    whole = logits(model, {"input_ids": ids, "attention_mask": mask})[[2, 1], -1]
    with torch.no_grad(), calibrated(model, EAGER):
        cache, rows = calibrated_cache(model, model.config), torch.tensor([2, 1])
        model(**batch, past_key_values=cache)
        cache.batch_repeat_interleave(2)
        cache.batch_select_indices(rows)
        step = model(input_ids=new[rows], attention_mask=mask[rows], past_key_values=cache).logits[:, -1]
    torch.testing.assert_close(step, whole, atol=2e-5, rtol=0)


def test_calibrated__does_not_depend_on_padding():
    model, length = tiny_model("llama"), 50
    plain, padded = padded_batch(length, [(0, 0)]), padded_batch(length + 9, [(9, 0)])
    padded["input_ids"][:, 9:] = plain["input_ids"]
    torch.testing.assert_close(logits(model, padded)[:, 9:], logits(model, plain), atol=1e-4, rtol=0)


@pytest.mark.parametrize("calibration", [None, Calibration(heads=HEADS, beta=1.0), Calibration(heads=())])
def test_calibrated__off_is_bit_identical(calibration):
    model, batch = tiny_model("llama"), padded_batch(40, [(6, 0), (0, 2)])
    with torch.no_grad():
        plain = model(**batch).logits
    assert torch.equal(logits(model, batch, calibration), plain)


def test_calibrated__rows_without_a_sink_keep_the_kernels_numbers():
    model, batch = tiny_model("llama"), padded_batch(40, [(0, 0)])
    never = Calibration(heads=HEADS, threshold=0.999)
    assert torch.equal(logits(model, batch, never), logits(model, batch, None))


def test_calibrated__puts_everything_back():
    model, batch = tiny_model("llama"), padded_batch(40, [(0, 0)])
    plain = logits(model, batch, None)
    with pytest.raises(KeyError), calibrated(model, EAGER):
        raise KeyError
    assert model.config._attn_implementation == "sdpa"
    assert torch.equal(logits(model, batch, None), plain)


def test_calibrated__gradients_are_those_of_finite_differences():
    model, batch = copy.deepcopy(tiny_model("llama")).double(), padded_batch(24, [(3, 0)])
    weight = model.model.layers[0].self_attn.q_proj.weight

    def loss() -> Tensor:
        return model(**batch).logits[0, -1].log_softmax(dim=-1)[7]

    # Blocks are computed in float32, hence the wide step.
    with calibrated(model, Calibration(heads=((1, 0), (1, 3)), threshold=0.03, min_queries=4)):
        loss().backward()
        assert weight.grad is not None
        direction = weight.grad / weight.grad.norm()
        with torch.no_grad():
            sides = []
            for step in (1e-3, -1e-3):
                weight += step * direction
                sides.append(loss().item())
                weight -= step * direction
    assert (sides[0] - sides[1]) / 2e-3 == pytest.approx(weight.grad.norm().item(), rel=2e-2)


def test_calibrated__refuses_what_it_cannot_do():
    model = tiny_model("llama")
    with (
        pytest.raises(ValueError, match=r"heads \[\(5, 0\)\].*3 layers of 4 heads"),
        calibrated(model, Calibration(heads=((5, 0),))),
    ):
        pass
    with calibrated(model, EAGER):
        with pytest.raises(ValueError, match="replaced"), record_attention(model):
            pass
        with pytest.raises(ValueError, match="cannot be replaced"), calibrated(model, EAGER):
            pass
        past = calibrated_cache(model, model.config)
        with torch.no_grad():
            model(**padded_batch(12, [(0, 0)]), past_key_values=past)
            model(**padded_batch(5, [(0, 0)]))  # another text: what was seen is of that one
            with pytest.raises(ValueError, match="12 cached tokens"):
                model(input_ids=torch.tensor([[3]]), past_key_values=past)
    with pytest.raises(ValueError, match="beta from 0 to 1"):
        Calibration(heads=(), beta=math.inf)


def test_calibration__is_saved_with_the_roles(tmp_path):
    roles = HeadRoles(local_heads=((1, 0),), global_heads=((2, 3),))
    path = tmp_path / "calibration.json"
    EAGER.save(path, roles)
    assert (Calibration.load(path), HeadRoles.load(path)) == (EAGER, roles)
    roles.save(path)
    with pytest.raises(ValueError, match="holds no calibration"):
        Calibration.load(path)


def test_calibrated__refuses_packed_texts():
    model, ids = tiny_model("llama"), padded_batch(24, [(0, 0)])["input_ids"]
    positions = torch.cat([torch.arange(14), torch.arange(10)])[None]
    with torch.no_grad(), calibrated(model, EAGER), pytest.raises(ValueError, match="one text a row"):
        model(input_ids=ids, position_ids=positions, use_cache=False)
