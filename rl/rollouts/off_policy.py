"""Off-policy correction: how a stale token is weighed by the ratio of learner to sampler."""

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Axes: B rows, T completion tokens.

Mode = Literal["token_truncate", "sequence_mask", "none"]


def importance_ratios(
    learner_logps: Float[Tensor, "B T"],
    sampler_logps: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    *,
    mode: Mode,
    cap: float,
) -> Float[Tensor, "B T"]:
    """Detached weights of the tokens, 1 where learner and sampler agree.

    `token_truncate`: min(ratio, cap) of each token. `sequence_mask`: the whole completion's ratio, and 0 where that is
    above the cap. Both as TRL's `vllm_importance_sampling_mode` of those names (arXiv 2512.02556; TRL 1.16).
    """
    gap_BT = ((learner_logps - sampler_logps) * mask).detach()
    if mode == "token_truncate":
        return gap_BT.exp().clamp(max=cap)
    if mode == "sequence_mask":
        ratio_B1 = gap_BT.sum(dim=1, keepdim=True).exp()
        return torch.where(ratio_B1 > cap, 0.0, ratio_B1).expand_as(gap_BT)
    return torch.ones_like(gap_BT)


class Correction:
    """Ratios of one generation batch: a row's are computed at its first visit and kept for the later iterations.

    Rows that the present policy sampled (staleness 0) are only measured, never weighed.
    """

    def __init__(self, *, mode: Mode, cap: float):
        self.mode: Mode = mode
        self.cap = cap
        self._kept: dict[int, Tensor] = {}

    def begin(self) -> None:
        """A new generation batch: its rows have the numbers of the last one's."""
        self._kept.clear()

    def weights(
        self,
        rows: list[int],
        learner_logps: Float[Tensor, "B T"],
        sampler_logps: Float[Tensor, "B T"],
        mask: Bool[Tensor, "B T"],
        stale: Bool[Tensor, " B"],
    ) -> Float[Tensor, "B T"]:
        """The factor of each token's advantage: exactly 1 for rows that are not stale."""
        if not all(row in self._kept for row in rows):
            fresh = importance_ratios(learner_logps, sampler_logps, mask, mode=self.mode, cap=self.cap)
            fresh = torch.where(stale[:, None], fresh, 1.0)
            for row, ratios in zip(rows, fresh, strict=True):
                self._kept.setdefault(row, ratios.clone())
        return torch.stack([self._kept[row] for row in rows])

    def apply(
        self, live: dict[str, Any], learner_logps: Float[Tensor, "B T"], *, loss_type: str
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        """What of a micro-batch changes once its (B, T) advantages are known, and what is worth logging."""
        mask = (live["completion_mask"] * live.get("tool_mask", 1)).bool()
        sampler_logps, stale = live["sampling_per_token_logps"], live["staleness"] > 0
        weights = self.weights(live["row"].tolist(), learner_logps, sampler_logps, mask, stale)
        figures = correction_metrics(learner_logps, sampler_logps, mask, weights)
        if not stale.any():
            return {}, figures
        if loss_type == "vespo":  # its own weights take the ratio in
            return {"importance_sampling_ratio": weights}, figures
        return {"advantages": live["advantages"] * weights}, figures

    def state(self) -> dict[int, Tensor]:
        """The kept ratios by row, for a checkpoint inside a generation batch."""
        return dict(self._kept)

    def restore(self, kept: dict[int, Tensor]) -> None:
        self._kept = dict(kept)


def correction_metrics(
    learner_logps: Float[Tensor, "B T"],
    sampler_logps: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    weights: Float[Tensor, "B T"],
) -> dict[str, float]:
    """How far learner and sampler are apart, and what the tokens are weighed with."""
    gap = (learner_logps - sampler_logps).detach().abs()[mask]
    weight = weights[mask]
    if gap.numel() == 0:
        return {}
    return {
        "sync/logp_gap_mean": gap.mean().item(),
        "sync/logp_gap_max": gap.max().item(),
        "sync/ratio_mean": weight.mean().item(),
        "sync/ratio_min": weight.min().item(),
        "sync/ratio_max": weight.max().item(),
    }
