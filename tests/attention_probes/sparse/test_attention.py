"""Sparse attention: equals dense attention under its own mask, keeps to the past, and says when it must not be used."""

import copy

import pytest
import torch
from torch import Tensor

from attention_probes.layer import visible
from attention_probes.replacement import replace_attention, restore_attention
from attention_probes.sparse.agreement import agreement
from attention_probes.sparse.attention import SparseAttention, sparse
from attention_probes.sparse.blocks import Blocks
from attention_probes.sparse.compute import sparse_attention
from attention_probes.sparse.flex import flex_attention_output
from attention_probes.sparse.flexprefill import FlexPrefill
from attention_probes.sparse.hip import Hip
from attention_probes.sparse.plan import Rules, SparsePlan, Texts
from attention_probes.sparse.power import Power
from attention_probes.sparse.window import Window
from tests.attention_probes.tiny_decoders import CONFIGS, padded_batch, tiny_model

B = {"block": 8, "dense_layers": 0}
PLANS = {
    plan.name: plan
    for plan in (
        Window(**B, blocks=2),
        Power(**B, blocks=1),
        Blocks(**B, top=2),
        Hip(**B, top=2),
        FlexPrefill(**B, gamma=0.6),
    )
}
ALLOWED = [name for name, plan in PLANS.items() if not plan.looks_ahead]


class DenseReference(SparseAttention):
    """The plan's choice as a mask over tokens, token by token, for the model's own dense attention."""

    def __call__(self, original, module, query, key, value, mask, **options):
        length, block = query.shape[2], self.plan.block
        allowed = torch.ones(length, length).tril().bool().expand(len(query), 1, -1, -1)
        if mask is not None:
            allowed = visible(mask).expand(len(query), -1, -1, -1)
        keeps = []
        for row in range(len(query)):  # each text alone, without its padding
            real = allowed[row, 0].diagonal()
            start, count = int(real.float().argmax()), int(real.sum())
            tail = -count % block
            alone = [
                torch.nn.functional.pad(part[row : row + 1, :, start : start + count], (0, 0, 0, tail))
                for part in (query, key)
            ]
            scale = options.get("scaling") or query.shape[-1] ** -0.5
            keep = self.plan.keep(
                Texts(query=alone[0], key=alone[1], lengths=torch.tensor([count]), scale=scale)
            ).expand(1, query.shape[1], -1, -1)[0]
            tokens = keep.repeat_interleave(block, dim=1).repeat_interleave(block, dim=2)
            whole = torch.eye(length).bool().repeat(query.shape[1], 1, 1)
            whole[:, start : start + count, start : start + count] = tokens[:, :count, :count]
            keeps.append(whole)
        chosen = allowed & torch.stack(keeps) | torch.eye(length).bool()
        if module.config._attn_implementation.endswith("eager"):
            chosen = torch.zeros(chosen.shape).masked_fill(~chosen, torch.finfo(torch.float32).min)
        return original(module, query, key, value, chosen, **options)


def logits(model, batch, plan: SparsePlan | None) -> Tensor:
    with torch.no_grad(), sparse(model, plan):
        return model(**batch).logits


def reference_logits(model, batch, plan: SparsePlan) -> Tensor:
    replace_attention(model, DenseReference(plan))
    try:
        with torch.no_grad():
            return model(**batch).logits
    finally:
        restore_attention(model)


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("name", PLANS)
def test_sparse__equals_dense_attention_under_its_own_mask(family, name):
    """Grouped queries, padding on both sides, sliding windows and soft-capping; lengths that fill no whole block."""
    model, batch = tiny_model(family), padded_batch(61, [(9, 5), (0, 0), (3, 0)])
    real = batch["attention_mask"].bool()
    got, want = logits(model, batch, PLANS[name]), reference_logits(model, batch, PLANS[name])
    torch.testing.assert_close(got[real], want[real], atol=1e-5 * want.abs().max().item(), rtol=1e-5)
    if "window" not in family:  # a sliding window may be all that a plan reads
        assert (got - logits(model, batch, None))[real].abs().max() > 1e-3


@pytest.mark.parametrize("name", PLANS)
def test_sparse__does_not_depend_on_padding(name):
    model, plain, padded = tiny_model("llama"), padded_batch(60, [(0, 0)]), padded_batch(65, [(5, 0)])
    padded["input_ids"][:, 5:] = plain["input_ids"]
    with_padding, without = (logits(model, batch, PLANS[name]) for batch in (padded, plain))
    torch.testing.assert_close(with_padding[:, 5:], without, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ALLOWED)
def test_sparse__what_training_may_use_does_not_look_at_later_tokens(name):
    model, batch = tiny_model("llama"), padded_batch(64, [(3, 0), (0, 0)])
    changed = {**batch, "input_ids": batch["input_ids"].clone()}
    changed["input_ids"][:, 45:] = (batch["input_ids"][:, 45:] + 7) % 49 + 1  # within a block of either text
    before, after = (logits(model, one, PLANS[name])[:, 3:45] for one in (batch, changed))
    torch.testing.assert_close(after, before, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", PLANS)
def test_sparse__training_passes_refuse_plans_that_look_ahead(name):
    model, batch = copy.deepcopy(tiny_model("llama")), padded_batch(60, [(0, 0)])
    with sparse(model, PLANS[name]):
        if name not in ALLOWED:
            with pytest.raises(ValueError, match=f"{name}.*train with dense attention"):
                model(**batch)
            return
        model(**batch, labels=batch["input_ids"]).loss.backward()
    weight = model.model.layers[0].self_attn.q_proj.weight
    assert weight.grad is not None and weight.grad.abs().max() > 0.0 and weight.grad.isfinite().all()


def test_sparse__of_a_plan_that_reads_everything_is_bit_identical():
    model, batch = tiny_model("llama"), padded_batch(60, [(4, 0), (0, 0)])
    for plan in (Window(**B, blocks=8), Window(block=8, dense_layers=3, blocks=1), Window(block=64, dense_layers=0)):
        assert torch.equal(logits(model, batch, plan), logits(model, batch, None))


def test_sparse__decoding_reads_the_whole_cache():
    """A step that continues a sparse prompt is dense: with a dense prompt, it is the dense step bit for bit."""
    model, batch = tiny_model("llama"), padded_batch(40, [(0, 0)])
    step = {"input_ids": torch.tensor([[5]])}
    with torch.no_grad():
        past, again = (model(**batch).past_key_values for _ in range(2))
        dense = model(**step, past_key_values=past).logits
        with sparse(model, PLANS["window"]) as attention:
            assert torch.equal(model(**step, past_key_values=again).logits, dense)
    assert attention is not None and attention.mean_density() is None


def test_sparse__refuses_padding_inside_a_text():
    batch = padded_batch(40, [(0, 0)])
    batch["attention_mask"][:, 20] = 0
    with pytest.raises(ValueError, match="inside a text"):
        logits(tiny_model("llama"), batch, PLANS["window"])


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("name", PLANS)
def test_flex_attention__equals_the_gathered_blocks(name):
    """Uncompiled, as on a CPU: the token rule alone."""
    draw, plan = torch.Generator().manual_seed(0), PLANS[name]
    query, key, value = (torch.randn(2, heads, 48, 8, generator=draw) for heads in (4, 2, 2))
    texts = Texts(query=query, key=key, lengths=torch.tensor([48, 41]), scale=8**-0.5)
    keep = plan.keep(texts)
    for rules in (Rules(), Rules(window=12)):
        want = sparse_attention(texts, value, keep, 8, rules)
        got = flex_attention_output(texts, value, keep, 8, rules.window)
        for row, length in enumerate(texts.lengths):
            torch.testing.assert_close(got[row, :, :length], want[row, :, :length], atol=1e-5, rtol=0)


def test_agreement__is_1_where_nothing_is_left_out_and_less_elsewhere():
    model, prompts = tiny_model("llama"), padded_batch(40, [(7, 0), (0, 0)])
    completions = torch.randint(1, 49, (4, 6), generator=torch.Generator().manual_seed(0))
    real = torch.arange(6) < torch.tensor([6, 2, 6, 1])[:, None]
    everything, share = agreement(model, Window(**B, blocks=8), prompts, completions, real)
    assert share == 1.0 and torch.equal(everything, torch.ones(15))
    some, share = agreement(model, PLANS["window"], prompts, completions, real)
    assert len(some) == 15 and some.min() < 0.999 and some.max() <= 1.0 and share < 1.0


def test_agreement__is_that_of_each_text_alone():
    """Without padding and without a cache for several completions; the third is the first of the second prompt."""
    model, prompts = tiny_model("llama"), padded_batch(40, [(7, 0), (0, 0)])
    completions = torch.randint(1, 49, (4, 6), generator=torch.Generator().manual_seed(0))
    real = torch.ones(4, 6, dtype=torch.bool)
    together, _ = agreement(model, PLANS["power"], prompts, completions, real, temperature=0.5)
    for row in range(4):
        ids = prompts["input_ids"][row // 2][prompts["attention_mask"][row // 2].bool()][None]
        alone = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        values, _ = agreement(model, PLANS["power"], alone, completions[row : row + 1], real[:1], temperature=0.5)
        torch.testing.assert_close(together.view(4, 6)[row], values, atol=1e-4, rtol=0)


def test_sparse__refuses_packed_texts():
    model, ids = tiny_model("llama"), padded_batch(24, [(0, 0)])["input_ids"]
    positions = torch.cat([torch.arange(14), torch.arange(10)])[None]
    with torch.no_grad(), sparse(model, PLANS["window"]), pytest.raises(ValueError, match="one text a row"):
        model(input_ids=ids, position_ids=positions, use_cache=False)


@pytest.mark.gpu
@pytest.mark.parametrize("name", PLANS)
def test_sparse__on_cuda_equals_the_cpu(name):
    model, batch = copy.deepcopy(tiny_model("llama")), padded_batch(61, [(9, 5), (0, 0)])
    plan = type(PLANS[name])(block=16, dense_layers=0)
    want, real = logits(model, batch, plan), batch["attention_mask"].bool()
    got = logits(model.cuda(), {key: values.cuda() for key, values in batch.items()}, plan).cpu()
    torch.testing.assert_close(got[real], want[real], atol=1e-3, rtol=1e-3)
