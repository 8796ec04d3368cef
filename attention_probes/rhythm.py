"""The preplan-and-anchor rhythm: windowed attention distance, future attention influence, and the tokens they mark."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

# Axes: B rows of the batch, S tokens of prompt and completion, T tokens of the completion.
# All of it follows arXiv 2510.13554, sections 2 and 4.


def waad(nearness: Float[Tensor, "*B S"], real: Bool[Tensor, "*#B S"], *, window: int) -> Float[Tensor, "*B S"]:
    """Return the windowed average attention distance WAAD_t = sum_s A[t, s] min(t-s, W), in tokens; 0 at padding.

    Rows of A sum to 1, so it is W - sum_{d<W} (W-d) A[t, t-d], which needs only a band: `nearness`.
    """
    return (window - nearness).masked_fill(~real, 0.0)


def fai(
    future_mass: Float[Tensor, "*B S"], real: Bool[Tensor, "*#B S"], *, horizon: tuple[int, int]
) -> Float[Tensor, "*B S"]:
    """Return the future attention influence FAI_s = mean of A[t, s] over the real tokens t with H_lo <= t-s <= H_hi.

    `future_mass` is the sum. 0 at padding and where no such t exists, which is so for the last H_lo tokens.
    """
    num_queries = horizon_fill(real, horizon)
    return (future_mass / num_queries.clamp(min=1)).masked_fill(~real | (num_queries == 0), 0.0)


def horizon_fill(real: Bool[Tensor, "*B S"], horizon: tuple[int, int]) -> Int[Tensor, "*B S"]:
    """Count the real tokens from H_lo to H_hi after each token."""
    nearest, farthest = horizon
    length = real.shape[-1]
    num_before = torch.nn.functional.pad(real.long().cumsum(dim=-1), (1, 0))
    position = torch.arange(length, device=real.device)
    first, stop = (position + nearest).clamp(max=length), (position + farthest + 1).clamp(max=length)
    return num_before[..., stop] - num_before[..., first]


def top_share(scores: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], q: float) -> Bool[Tensor, "B T"]:
    """Mark the ceil(q * n) highest scores of each row's n unmasked tokens; of equal scores the earlier wins.

    Exact: a threshold at a quantile would select every token that ties with it (all of them, if all are 0).
    """
    order = scores.masked_fill(~mask, -torch.inf).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1)
    # The small margin keeps 0.4 * 5 at 2, although 0.4 is not exact in binary.
    num_chosen = torch.ceil(q * mask.sum(dim=1, keepdim=True) - 1e-6)
    return (rank < num_chosen) & mask


def waad_deltas(waad: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """Return Delta_t = |WAAD_t - WAAD_{t+1}|; 0 at a row's last token and at padding."""
    both = mask[:, :-1] & mask[:, 1:]
    return torch.nn.functional.pad((waad.diff(dim=1).abs()).masked_fill(~both, 0.0), (0, 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class RhythmSettings:
    """Criteria for marking tokens. The paper gives q; it leaves the two thresholds and the introducer's rule open.

    Example:
        RhythmSettings(q=0.4, reach=3)
    """

    q: float = 0.4
    """Share of a completion's tokens that are preplan tokens, and share that are anchors."""
    reach: int = 3
    """k: how many tokens before an anchor its introducer may lie (the paper tries 1, 2 and 3)."""
    waad_quantile: float = 0.5
    """tau_waad: an anchor is locally dominated only if its WAAD is at most this quantile of its completion's."""
    delta_quantile: float = 0.5
    """tau_Delta: and only if a Delta among the `reach` tokens before it is at least this quantile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rhythm:
    """The marked tokens of each completion; all False at padding."""

    preplan: Bool[Tensor, "B T"]
    """Tokens with the highest Delta: the policy turns from one chunk to the next."""
    anchors: Bool[Tensor, "B T"]
    """Tokens with the highest FAI: later tokens attend to them."""
    dominated: Bool[Tensor, "B T"]
    """Anchors inside a chunk that an earlier preplan token opened."""
    introducer: Int[Tensor, "B T"]
    """For a dominated anchor, the index of the highest Delta among the `reach` tokens before it; else -1."""

    def introducers(self) -> Bool[Tensor, "B T"]:
        """Mark the tokens that introduce at least one dominated anchor."""
        index = self.introducer.clamp(min=0)
        return torch.zeros_like(index).scatter_reduce(1, index, self.dominated.long(), reduce="amax").bool()

    def positions(self, *, offset: int = 0) -> dict[str, tuple[int, ...]]:
        """Return, by name of the mark, the indices of the first row's tokens that have it, plus `offset`."""
        marked = {"preplan": self.preplan, "anchors": self.anchors, "dominated": self.dominated}
        return {name: tuple((tokens[0].nonzero().flatten() + offset).tolist()) for name, tokens in marked.items()}


def find_rhythm(
    waad: Float[Tensor, "B T"],
    fai: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    settings: RhythmSettings | None = None,
) -> Rhythm:
    """Mark preplan tokens, anchors, locally dominated anchors D and their introducers.

    D = {t in TopQ(FAI): WAAD_t <= tau_waad and max of Delta_{t-k..t-1} >= tau_Delta}; the introducer is the argmax, of
    equal ones the earliest.
    """
    settings = settings or RhythmSettings()
    delta = waad_deltas(waad, mask)
    anchors = top_share(fai, mask, settings.q)
    highest, index = _before(delta.masked_fill(~mask, -torch.inf), settings.reach).max(dim=2)
    low_waad = waad <= _quantile(waad, mask, settings.waad_quantile)
    dominated = anchors & low_waad & (highest >= _quantile(delta, mask, settings.delta_quantile))
    position = torch.arange(mask.shape[1], device=mask.device) - settings.reach + index
    return Rhythm(
        preplan=top_share(delta, mask, settings.q),
        anchors=anchors,
        dominated=dominated,
        introducer=torch.where(dominated, position, -1),
    )


def _before(values: Float[Tensor, "B T"], reach: int) -> Float[Tensor, "B T K"]:
    """Return the `reach` values before each token, earliest first; -infinity before the start."""
    return torch.nn.functional.pad(values, (reach, 0), value=-torch.inf)[:, :-1].unfold(1, reach, 1)


def _quantile(values: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], q: float) -> Float[Tensor, "B 1"]:
    return values.masked_fill(~mask, torch.nan).nanquantile(q, dim=1, keepdim=True)
