"""A growing cache holds, to the last bit, what a cache does that is copied at every token."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DynamicCache, LlamaConfig

from rl.rollouts.growing_cache import ROOM, GrowingLayer, growing

LAYERS, HEADS, SIZE = 2, 3, 4
STEPS = st.one_of(
    st.tuples(st.just("append"), st.sampled_from([1, 1, 1, 5, ROOM, ROOM + 1])),
    st.tuples(st.just("repeat"), st.integers(1, 3)),
    st.tuples(st.just("keep"), st.integers(1, 3)),
    st.tuples(st.just("crop"), st.integers(1, 3)),
)


def empty(**changes) -> DynamicCache:
    return DynamicCache(config=LlamaConfig(num_hidden_layers=LAYERS, **changes))


def rows_of(cache: DynamicCache) -> int:
    keys = cache.layers[0].keys
    return 2 if keys is None else len(keys)


def act(cache: DynamicCache, step: str, number: int, new: torch.Tensor) -> list[torch.Tensor]:
    """Return what the layers' attention would read."""
    match step:
        case "append":
            pairs = [
                cache.update(layer + new[: rows_of(cache)], -new[: rows_of(cache)], layer) for layer in range(LAYERS)
            ]
            return [states for pair in pairs for states in pair]
        case "repeat":
            cache.batch_repeat_interleave(number)
        case "keep":
            cache.batch_select_indices(torch.arange(rows_of(cache)).flip(0)[:number])
        case "crop" if cache.get_seq_length() > number:
            cache.crop(-number)
    return [states for layer in cache.layers if layer.is_initialized for states in (layer.keys, layer.values)]


@settings(max_examples=50, deadline=None)
@given(st.lists(STEPS, max_size=8))
def test_growing__gives_attention_the_same_keys_and_values(steps):
    torch.manual_seed(0)
    expected, cache = empty(), growing(empty())
    for step, number in [("append", 3), *steps]:
        if rows_of(cache) * number > 64 and step == "repeat":
            continue
        new = torch.randn(rows_of(cache), HEADS, number, SIZE)
        pairs = zip(act(expected, step, number, new), act(cache, step, number, new), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
        assert cache.get_seq_length() == expected.get_seq_length()


def test_growing__writes_a_token_into_the_room_behind_the_others():
    cache = growing(empty())
    cache.update(torch.zeros(1, HEADS, 7, SIZE), torch.zeros(1, HEADS, 7, SIZE), 0)
    token = torch.ones(1, HEADS, 1, SIZE)
    cache.update(token, token, 0)
    before = cache.layers[0].keys.data_ptr()
    for _ in range(ROOM):
        cache.update(token, token, 0)
    assert cache.layers[0].keys.data_ptr() == before
    cache.update(token, token, 0)
    assert cache.layers[0].keys.data_ptr() != before


def test_growing__leaves_the_layers_of_a_sliding_window():
    cache = growing(empty(sliding_window=8, layer_types=["sliding_attention", "full_attention"]))
    assert [type(layer) is GrowingLayer for layer in cache.layers] == [False, True]
