"""Shared prompts: packed completions have the log-probs, gradients and readings that rows of their own give them."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from attention_probes.record import ProbePlan, Readings, record_attention
from rl.models.shared_prompts import Group, SharedPrompts, cannot_share, groups_of, in_rows
from tests.attention_probes.tiny_decoders import CONFIGS, VOCABULARY, tiny_model

CPU = torch.device("cpu")
ROTARY = [family for family in CONFIGS if family != "gpt2"]
PLAN = ProbePlan(layers=(0, 1, 2), window=3, horizon=(1, 6), per_head=True, boundary_window=2)


class Batch:
    """Completions of one prompt and of a shorter one, mixed, and padded as TRL pads them."""

    keys = ("long", "short", "long", "long", "short")
    prompt_lengths, completion_lengths = (14, 1, 14, 14, 1), (5, 3, 1, 6, 0)

    def __init__(self, tokens_per_row: int = 0) -> None:
        generator = torch.Generator().manual_seed(3)
        prompts = {key: torch.randint(3, VOCABULARY, (16,), generator=generator) for key in ("long", "short")}
        completions = torch.randint(3, VOCABULARY, (5, 6), generator=generator)
        self.ids = torch.cat([torch.stack([prompts[key] for key in self.keys]), completions], dim=1)
        place = torch.arange(22)
        lengths = zip(self.prompt_lengths, self.completion_lengths, strict=True)
        self.real = torch.stack([(place >= 16 - prompt) & (place < 16 + answer) for prompt, answer in lengths])
        starts = [16 - length for length in self.prompt_lengths]
        groups = groups_of(self.keys, starts, self.prompt_lengths, self.completion_lengths)
        self.shared = SharedPrompts(groups, width=22, device=CPU, tokens_per_row=tokens_per_row)

    def apart(self, model: PreTrainedModel) -> Tensor:
        """Return the log-probs (B, T) of rows of their own, 0 at padding."""
        logits = model(input_ids=self.ids, attention_mask=self.real.long()).logits
        return self.of_tokens(logits, self.ids)[:, 15:].masked_fill(~self.real[:, 16:], 0.0)

    def together(self, model: PreTrainedModel) -> Tensor:
        """Return the same from packed rows."""
        shared = self.shared
        packed = shared.pack(self.ids)
        logits = model(input_ids=packed, attention_mask=shared.mask(model), position_ids=shared.position_ids).logits
        return shared.unpack(self.of_tokens(logits, packed))[:, 15:].masked_fill(~self.real[:, 16:], 0.0)

    @staticmethod
    def of_tokens(logits: Tensor, ids: Tensor) -> Tensor:
        return logits[:, :-1].log_softmax(dim=-1).gather(2, ids[:, 1:, None]).squeeze(2)


@pytest.mark.parametrize(
    ("family", "attention"),
    # Gemma 2 caps its logits, which sdpa does not
    [*((family, "sdpa") for family in ROTARY if "softcap" not in family), *((family, "eager") for family in ROTARY)],
)
@pytest.mark.parametrize("tokens_per_row", [0, 64], ids=["a row each", "one row"])
def test_packed_rows__give_the_same_logprobs_and_gradients(tokens_per_row, family, attention):
    batch, model = Batch(tokens_per_row), tiny_model(family)
    before = model.config._attn_implementation
    model.set_attn_implementation(attention)
    try:
        weights = torch.randn(batch.real[:, 16:].shape, generator=torch.Generator().manual_seed(1))
        outcomes = []
        for logprobs in (batch.apart(model), batch.together(model)):
            gradients = torch.autograd.grad((weights * logprobs).sum(), list(model.parameters()))
            outcomes.append((logprobs, gradients))
    finally:
        model.set_attn_implementation(before)
    (expected, expected_gradients), (logprobs, gradients) = outcomes
    torch.testing.assert_close(logprobs, expected, rtol=0, atol=1e-5)
    for gradient, reference in zip(gradients, expected_gradients, strict=True):
        assert (gradient - reference).norm() <= 1e-4 * reference.norm() + 1e-7


@pytest.mark.parametrize("tokens_per_row", [0, 64], ids=["a row each", "one row"])
@pytest.mark.parametrize("family", ROTARY)
def test_readings__of_packed_rows_are_those_of_rows_of_their_own(family, tokens_per_row):
    batch, model = Batch(tokens_per_row), tiny_model(family)
    spans = torch.zeros(5, 2, 22, dtype=torch.bool)
    spans[:, 0, 15], spans[:, 1, 17:19] = True, True
    readings = []
    for texts, run in ((None, batch.apart), (batch.shared.texts, batch.together)):
        with torch.no_grad(), record_attention(model, PLAN, spans=spans) as recorder:
            recorder.texts = texts
            run(model)
        readings.append(recorder.read())
    expected, read = readings
    assert torch.equal(read.real, expected.real) and torch.equal(read.real, batch.real)
    for name in ("waad", "fai", "span_mass"):
        torch.testing.assert_close(getattr(read, name), getattr(expected, name), rtol=0, atol=1e-5 * PLAN.window)
    for one, other in zip(read.boundaries, expected.boundaries, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    assert_same_heads(read, expected)


def assert_same_heads(read: Readings, expected: Readings) -> None:
    for name in ("waad", "fai", "distance", "entropy", "first_mass", "received"):
        one, other = getattr(read.heads, name), getattr(expected.heads, name)
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_packed_row__by_hand():
    # prompt 7 8 9; completions 1 2 and 3; positions and who sees whom, worked out by hand
    ids = torch.tensor([[0, 7, 8, 9, 1, 2], [0, 7, 8, 9, 3, 0]])
    group = Group(rows=(0, 1), start=1, prompt_length=3, completion_lengths=(2, 1))
    shared = SharedPrompts([group], width=6, device=CPU)
    assert shared.pack(ids).tolist() == [[7, 8, 9, 1, 2, 9, 3]]
    assert shared.position_ids.tolist() == [[0, 1, 2, 3, 4, 2, 3]]
    assert shared.allowed[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 0, 1, 0],
        [1, 1, 0, 0, 0, 1, 1],
    ]
    # of the tokens 8 9 1 2 9 3
    unpacked = shared.unpack(torch.tensor([[80.0, 90.0, 10.0, 20.0, 91.0, 30.0]]))
    assert unpacked.tolist() == [[0.0, 80.0, 90.0, 10.0, 20.0], [0.0, 80.0, 91.0, 30.0, 0.0]]


def test_packed_row__of_two_groups_by_hand():
    # prompt 7 8 with completion 1, behind it prompt 9 with completion 3 4: neither sees the other
    ids = torch.tensor([[7, 8, 1, 0], [0, 9, 3, 4]])
    groups = groups_of(["a", "b"], [0, 1], [2, 1], [1, 2])
    shared = SharedPrompts(groups, width=4, device=CPU, tokens_per_row=6)
    assert shared.pack(ids).tolist() == [[7, 8, 1, 9, 3, 4]]
    assert shared.position_ids.tolist() == [[0, 1, 2, 0, 1, 2]]
    assert shared.allowed[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 1, 1, 0],
        [0, 0, 0, 1, 1, 1],
    ]
    unpacked = shared.unpack(torch.tensor([[80.0, 10.0, 90.0, 30.0, 40.0]])).tolist()
    assert unpacked == [[80.0, 10.0, 0.0], [90.0, 30.0, 40.0]]  # 90 is of a prompt's first token, and means nothing
    assert [len(row) for row in SharedPrompts(groups, width=4, device=CPU, tokens_per_row=5).rows] == [1, 1]


@given(st.lists(st.integers(2, 9), min_size=1, max_size=8), st.integers(0, 20))
def test_in_rows__fills_rows_in_order_and_never_beyond_their_tokens(lengths, tokens_per_row):
    groups = groups_of(range(len(lengths)), [0] * len(lengths), [1] * len(lengths), [length - 1 for length in lengths])
    rows = in_rows(groups, tokens_per_row)
    assert [group for row in rows for group in row] == groups
    sizes = [sum(group.num_tokens for group in row) for row in rows]
    assert all(size <= tokens_per_row or len(row) == 1 for size, row in zip(sizes, rows, strict=True))
    following = [row[0].num_tokens for row in rows[1:]]
    assert all(size + more > tokens_per_row for size, more in zip(sizes, following, strict=False))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=8), st.sampled_from([0, 20, 1000])
)
@settings(max_examples=50)
def test_pack__holds_every_token_once_and_prompts_once_a_group(rows, tokens_per_row):
    keys, lengths = [key for key, _ in rows], [length for _, length in rows]
    groups = groups_of(keys, [3 - key for key in keys], [key + 1 for key in keys], lengths)
    shared = SharedPrompts(groups, width=13, device=CPU, tokens_per_row=tokens_per_row)
    ids = 1 + torch.arange(13 * len(rows)).view(-1, 13)
    place = torch.arange(13)
    completions = torch.stack([(place >= 4) & (place < 4 + length) for length in lengths])
    labels = shared.pack(ids.masked_fill(~completions, -100))
    assert sorted(labels[labels >= 0].tolist()) == ids[completions].tolist()
    one_row = torch.arange(13)[None].repeat(len(rows), 1)
    assert torch.equal(
        shared.unpack(shared.pack(one_row).float()[:, 1:])[:, 3:][completions[:, 4:]], one_row[completions].float()
    )
    assert [group.rows[0] for group in groups] == sorted({keys.index(key) for key in keys})
    longest = max(sum(sum(group.lengths) for group in row) for row in in_rows(groups, tokens_per_row))
    assert shared.pack(ids).shape[1] == longest


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"_attn_implementation": "flash_attention_2"}, "flash_attention_2"),
        ({"layer_types": ["linear_attention", "full_attention"]}, "linear_attention"),
        ({"rope_parameters": None}, "rotary"),
    ],
)
def test_cannot_share__names_the_reason(changes, reason):
    def forward(input_ids, attention_mask=None, position_ids=None): ...

    config = SimpleNamespace(**{"_attn_implementation": "sdpa", "rope_parameters": {"rope_theta": 1e4}, **changes})
    config.get_text_config = lambda: config
    model = SimpleNamespace(config=config, get_decoder=lambda: SimpleNamespace(forward=forward))
    said = cannot_share(model)
    assert said is None if reason is None else reason in said


def test_cannot_share__learnt_positions():
    assert "rotary" in (cannot_share(tiny_model("gpt2")) or "")
