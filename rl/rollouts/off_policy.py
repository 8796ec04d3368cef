"""Off-policy correction: tokens of a stale or sparse policy are weighted by the ratio of learner to sampler."""

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
    """Return detached importance weights of the tokens, 1 where learner and sampler agree.

    `token_truncate`: min(ratio, cap) for each token. `sequence_mask`: the whole completion's ratio, or 0 where that is
    above the cap. Both as TRL's `vllm_importance_sampling_mode` of those names (arXiv 2512.02556; TRL 1.16).
    """
    gap_BT = ((learner_logps - sampler_logps) * mask).detach()
    if mode == "token_truncate":
        return gap_BT.exp().clamp(max=cap)
    if mode == "sequence_mask":
        ratio_B1 = gap_BT.sum(dim=1, keepdim=True).exp()
        return torch.where(ratio_B1 > cap, 0.0, ratio_B1).expand_as(gap_BT)
    return torch.ones_like(gap_BT)


class OffPolicyCorrection:
    """Importance ratios of one generation batch, computed at a row's first visit and reused in later iterations.

    Rows that the present policy sampled (staleness 0, prompts read densely) are measured and keep weight 1.
    """

    def __init__(self, *, mode: Mode, cap: float):
        self.mode: Mode = mode
        self.cap = cap
        self._ratios: dict[int, Tensor] = {}

    def start_batch(self) -> None:
        """Forget the last generation batch, whose row numbers the new one reuses."""
        self._ratios.clear()

    def weights(
        self,
        rows: list[int],
        learner_logps: Float[Tensor, "B T"],
        sampler_logps: Float[Tensor, "B T"],
        mask: Bool[Tensor, "B T"],
        stale: Bool[Tensor, " B"],
    ) -> Float[Tensor, "B T"]:
        """Return the factor of each token's advantage: exactly 1 for rows that are not stale."""
        if not all(row in self._ratios for row in rows):
            fresh = importance_ratios(learner_logps, sampler_logps, mask, mode=self.mode, cap=self.cap)
            fresh = torch.where(stale[:, None], fresh, 1.0)
            for row, ratios in zip(rows, fresh, strict=True):
                self._ratios.setdefault(row, ratios.clone())
        return torch.stack([self._ratios[row] for row in rows])

    def apply(
        self, live: dict[str, Any], learner_logps: Float[Tensor, "B T"], *, loss_type: str
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the changes to a micro-batch whose (B, T) advantages are known, and metrics to log.

        Its columns `row`, `staleness` and `plan` are lists, so that nothing here waits for the device.
        """
        mask = (live["completion_mask"] * live.get("tool_mask", 1)).bool()
        # A prompt that was read sparsely is one more way to have been sampled by another policy.
        plans = live.get("plan") or [""] * len(mask)  # a buffer of an earlier version has none
        stale = [staleness > 0 or bool(plan) for staleness, plan in zip(live["staleness"], plans, strict=True)]
        sampler_logps = live["sampling_per_token_logps"]
        stale_B = torch.tensor(stale).to(mask.device, non_blocking=True)
        weights = self.weights(live["row"], learner_logps, sampler_logps, mask, stale_B)
        metrics = correction_metrics(learner_logps, sampler_logps, mask, weights)
        if not any(stale):
            return {}, metrics
        if loss_type == "vespo":  # its own weights include the ratio
            return {"importance_sampling_ratio": weights}, metrics
        return {"advantages": live["advantages"] * weights}, metrics

    def state(self) -> dict[int, Tensor]:
        """Return the ratios by row, for a checkpoint inside a generation batch."""
        return dict(self._ratios)

    def restore(self, state: dict[int, Tensor]) -> None:
        self._ratios = dict(state)


def correction_metrics(
    learner_logps: Float[Tensor, "B T"],
    sampler_logps: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    weights: Float[Tensor, "B T"],
) -> dict[str, Tensor]:
    """Return how far learner and sampler are apart, and the weights of the tokens; NaN where all are masked."""
    gap = (learner_logps - sampler_logps).detach().abs()
    count, inf = mask.sum(), torch.inf
    metrics = {
        "sync/logp_gap_mean": gap.where(mask, 0.0).sum() / count,
        "sync/logp_gap_max": gap.where(mask, -inf).max(),
        "sync/ratio_mean": weights.where(mask, 0.0).sum() / count,
        "sync/ratio_min": weights.where(mask, inf).min(),
        "sync/ratio_max": weights.where(mask, -inf).max(),
    }
    return {name: value.where(count > 0, torch.nan) for name, value in metrics.items()}
