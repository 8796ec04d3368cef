"""Token weights: brought into one form whatever a rule returned, and multiplied with the advantages."""

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rl.common.errors import UserError

# Axes: B completions, C channels (1, but for credit by constraint), T completion tokens.


def weights_tensor(weights: Any, mask: Bool[Tensor, "B T"]) -> Tensor:
    """Return what a custom rule gave as a tensor beside the mask; numpy's arrays and lists of numbers are taken.

    Raises UserError for anything else.
    """
    if isinstance(weights, Tensor):
        return weights
    try:
        return torch.as_tensor(weights, dtype=torch.float32, device=mask.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"a credit rule gave the {type(weights).__name__} {weights!r:.60}; it must return a tensor of weights "
            f"(B, T) or (B, channels, T) with (B, T) = {tuple(mask.shape)}"
        ) from error


def normalize_weights(
    weights: Tensor, mask: Bool[Tensor, "B T"], *, floor: float, preserve_mass: bool
) -> Float[Tensor, "B channels T"]:
    """Return a rule's weights (B, T) or (B, channels, T) detached, >= `floor` on real tokens and exactly 0 elsewhere.

    With `preserve_mass` the masked mean of each channel of each row is 1, so that an advantage keeps its size.
    Raises UserError when the shape is wrong.
    """
    weights, mask_B1T = real_weights(weights, mask), mask[:, None]
    if not preserve_mass:
        return weights.clamp(min=floor).masked_fill(~mask_B1T, 0.0)
    count_B11 = mask_B1T.sum(dim=2, keepdim=True).clamp(min=1)
    mean_BC1 = weights.sum(dim=2, keepdim=True) / count_B11
    # A mean below the least normal number has lost digits; it is no more than none.
    shares = torch.where(mean_BC1 >= torch.finfo(torch.float32).tiny, weights / mean_BC1, 1.0)
    return (floor + (1.0 - floor) * shares).masked_fill(~mask_B1T, 0.0)


def real_weights(weights: Tensor, mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B channels T"]:
    """Return a rule's weights detached and with channels, 0 on masked tokens. Raises UserError for a wrong shape."""
    if weights.dim() == 2:
        weights = weights[:, None]
    if weights.dim() != 3 or weights[:, 0].shape != mask.shape:
        raise UserError(
            f"a credit rule gave weights of shape {tuple(weights.shape)}; they must be (B, T) or (B, channels, T) "
            f"with (B, T) = {tuple(mask.shape)}"
        )
    return weights.detach().float().masked_fill(~mask[:, None], 0.0)


class WeightCheck:
    """Checks that weights are finite and >= 0: many micro-batches with one look at the device."""

    def __init__(self) -> None:
        self._valid: list[Bool[Tensor, ""]] = []

    def add(self, weights: Tensor, mask: Bool[Tensor, "B T"]) -> None:
        """Remember whether the weights of the real tokens are valid. Raises UserError when the shape is wrong."""
        real = real_weights(weights, mask)
        self._valid.append((torch.isfinite(real) & (real >= 0.0)).all())

    def raise_if_invalid(self) -> None:
        """Raise UserError if any weight since the last call was negative or not finite."""
        valid, self._valid = self._valid, []
        if valid and not bool(torch.stack(valid).all()):
            raise UserError("a credit rule gave a negative or non-finite weight; weights must be finite and >= 0")


def token_advantages(
    advantages: Float[Tensor, "B channels"],
    weights: Float[Tensor, "B channels T"],
    mask: Bool[Tensor, "B T"],
    *,
    sign: Literal["both", "positive"],
) -> Float[Tensor, "B T"]:
    """Return the advantage of each token: the sum over the channels of advantage times weight.

    `sign="positive"` leaves channels with a negative advantage unshaped (arXiv 2510.13554 v1).
    """
    return _parts(advantages, weights, mask, sign=sign).sum(dim=1)


def strongest_channel(
    advantages: Float[Tensor, "B channels"],
    weights: Float[Tensor, "B channels T"],
    mask: Bool[Tensor, "B T"],
    *,
    sign: Literal["both", "positive"],
) -> Float[Tensor, "B T"]:
    """Return the number of the channel with the largest part in each token's advantage, the first of equals."""
    return _parts(advantages, weights, mask, sign=sign).abs().argmax(dim=1).float()


def _parts(
    advantages: Float[Tensor, "B channels"],
    weights: Float[Tensor, "B channels T"],
    mask: Bool[Tensor, "B T"],
    *,
    sign: Literal["both", "positive"],
) -> Float[Tensor, "B channels T"]:
    column_BC1 = advantages[:, :, None]
    if sign == "positive":
        weights = torch.where(column_BC1 < 0.0, mask[:, None].float(), weights)
    return column_BC1 * weights
