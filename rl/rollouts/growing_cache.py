"""Growing cache: keys and values with room for the tokens to come, instead of a copy of all of them at each token."""

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

# Axes: B rows, H heads of keys, L tokens, D numbers of a head.

ROOM = 64
"""Tokens for which there is room beyond those that are needed, whenever a layer's tensors are made anew."""


class GrowingLayer(DynamicLayer):
    """A layer whose keys and values are the first tokens of longer tensors, into which new ones are written."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.get_seq_length():
            return super().update(key_states, value_states)
        assert self.keys is not None and self.values is not None, "a layer with tokens has both"
        self.keys, self.values = _appended(self.keys, key_states), _appended(self.values, value_states)
        return self.keys, self.values


def growing(cache: DynamicCache) -> DynamicCache:
    """Let a cache's layers grow in place, but for those of a sliding window, which also forget."""
    for index, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[index] = _growing(layer)
    return cache


def _growing(layer: DynamicLayer) -> GrowingLayer:
    grown = GrowingLayer()
    vars(grown).update(vars(layer))
    return grown


def _appended(states_BHLD: Tensor, new_BHLD: Tensor) -> Tensor:
    """Return states with new ones behind them, in the same memory where that has room."""
    length = states_BHLD.shape[2] + new_BHLD.shape[2]
    if length > states_BHLD.stride(1) // states_BHLD.stride(2):
        rows, heads, held, size = states_BHLD.shape
        roomy = states_BHLD.new_empty(rows, heads, length + ROOM, size)
        roomy[:, :, :held] = states_BHLD
        states_BHLD = roomy[:, :, :held]
    rows, heads, held, size = states_BHLD.shape
    longer = states_BHLD.as_strided((rows, heads, length, size), states_BHLD.stride(), states_BHLD.storage_offset())
    longer[:, :, held:] = new_BHLD
    return longer
