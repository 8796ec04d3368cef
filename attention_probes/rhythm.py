"""The preplan-and-anchor rhythm: windowed attention distance and future attention influence (arXiv 2510.13554)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Axes: B rows of the batch, S (or T) tokens.


def waad(
    nearness: Float[Tensor, "B S"], real: Bool[Tensor, "B S"], *, window: int
) -> Float[Tensor, "B S"]:
    """Windowed average attention distance: WAAD_t = sum_s A[t, s] min(t-s, W); 0 at padding.

    Rows of A sum to 1, so it equals W - sum_{d<W} (W-d) A[t, t-d], which needs only a band: `nearness`.
    """
    return (window - nearness).masked_fill(~real, 0.0)


def fai(
    to_come: Float[Tensor, "B S"], real: Bool[Tensor, "B S"], *, horizon: tuple[int, int]
) -> Float[Tensor, "B S"]:
    """Future attention influence: FAI_s = mean of A[t, s] over the real tokens t with H_lo <= t-s <= H_hi.

    0 at padding and where no such token exists, which holds for the last H_lo tokens.
    """
    nearest, farthest = horizon
    length = real.shape[1]
    before_BS1 = torch.nn.functional.pad(real.cumsum(dim=1), (1, 0))
    position = torch.arange(length, device=real.device)
    first, stop = (position + nearest).clamp(max=length), (position + farthest + 1).clamp(max=length)
    num_rows = before_BS1[:, stop] - before_BS1[:, first]
    return (to_come / num_rows.clamp(min=1)).masked_fill(~real, 0.0)


def top_share(scores: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], q: float) -> Bool[Tensor, "B T"]:
    """The ceil(q * n) highest scores of each row's n unmasked tokens; of equal scores the earlier wins.

    Exact: a threshold at a quantile would select every token that ties with it (all of them, if all are 0).
    """
    order = scores.masked_fill(~mask, -torch.inf).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1)
    # The small margin keeps 0.4 * 5 at 2, although 0.4 is not exact in binary.
    num_chosen = torch.ceil(q * mask.sum(dim=1, keepdim=True) - 1e-6)
    return (rank < num_chosen) & mask
