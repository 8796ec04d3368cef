"""Packed texts: texts that share a beginning in one row of a forward pass, read as rows of their own."""

from dataclasses import dataclass, replace

from jaxtyping import Bool, Float, Int
from torch import Tensor

from attention_probes.layer import LayerAttention, visible

# Axes: B texts, S their tokens with padding, R rows of the forward pass, L tokens of a row, H heads, D head dimension.


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedTexts:
    """Where in a batch of packed rows the tokens of each text lie."""

    row: Int[Tensor, " B"]
    """The packed row that holds the text."""
    column: Int[Tensor, "B S"]
    """The place of each token in that row; anything at padding."""
    real: Bool[Tensor, "B S"]
    """Tokens that are not padding."""

    def unpack(self, layer: LayerAttention) -> LayerAttention:
        """Return the layer as if each text had been a row of its own: its own queries, keys and attention mask.

        The packed mask must be boolean or additive and let every token attend to all tokens of its text before it, and
        to no other text's.
        """
        assert layer.mask is not None, "packed rows have a mask"
        return replace(
            layer,
            query=self._of_heads(layer.query),
            key=self._of_heads(layer.key),
            lse=None if layer.lse is None else layer.lse[self.row].gather(2, self._per_head(layer.lse)),
            mask=self._mask(layer.mask),
        )

    def _per_head(self, values: Float[Tensor, "R H L"]) -> Int[Tensor, "B H S"]:
        return self.column[:, None].expand(-1, values.shape[1], -1)

    def _of_heads(self, values: Float[Tensor, "R H L D"]) -> Float[Tensor, "B H S D"]:
        return values.transpose(1, 2)[self.row[:, None], self.column].transpose(1, 2)

    def _mask(self, mask: Tensor) -> Bool[Tensor, "B 1 S S"]:
        row = self.row[:, None, None] if len(mask) > 1 else 0
        allowed = visible(mask[:, 0])[row, self.column[:, :, None], self.column[:, None]]
        return (allowed & self.real[:, :, None] & self.real[:, None])[:, None]
