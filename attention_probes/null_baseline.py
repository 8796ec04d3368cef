"""The null baseline: what a head reads whatever the text says, so that only the rest need count."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from attention_probes.errors import ProbeError
from attention_probes.heads import Head
from attention_probes.plan import ProbePlan
from attention_probes.recorder import Readings
from attention_probes.rhythm import horizon_fill

# Axes: R = 2 readings (FAI, WAAD), L layers read, B rows of the batch, H heads, S tokens, K buckets, N tokens chosen.
# A good part of an attention map is position, sink and locality, not content ("Deconstructing Attention"). A reading
# depends on how many tokens stand before, who share the attention, and FAI on how much of its horizon is still to come.

NUM_FILLS = 5
"""An empty horizon, and its quarters."""
NUM_POSITIONS = 40
"""Half octaves: up to a million tokens."""


def buckets(real: Bool[Tensor, "B S"], horizon: tuple[int, int]) -> Int[Tensor, "B S"]:
    """The bucket of each token, by position in its row and by fill of its horizon; meaningless at padding."""
    position = real.long().cumsum(dim=1).clamp(min=1)
    half_octave = (2 * position.double().log2()).long().clamp(max=NUM_POSITIONS - 1)
    fill = (4 * horizon_fill(real, horizon) / (horizon[1] - horizon[0] + 1)).ceil().long()
    return half_octave * NUM_FILLS + fill


class NullBaselineFitter:
    """Collects mean and spread of each head's readings over a calibration set.

    Shuffled tokens give the null of no content at all, ordinary text that of an average token.
    """

    def __init__(self, plan: ProbePlan):
        self.plan = plan
        self._layers: tuple[int, ...] = ()
        self._moments: Tensor | None = None

    def update(self, readings: Readings) -> None:
        """Add one batch, read with `per_head`. Raises ValueError for other layers than before."""
        if self._moments is not None and readings.layers != self._layers:
            raise ProbeError(f"this baseline is of layers {self._layers}, the readings are of {readings.layers}")
        self._layers = readings.layers
        values_RLHN = _head_values(readings).double().permute(0, 1, 3, 2, 4)[..., readings.real]
        moments = torch.stack([torch.ones_like(values_RLHN), values_RLHN, values_RLHN.square()])
        bucket_N = buckets(readings.real, self.plan.horizon)[readings.real]
        sums = moments.new_zeros(*moments.shape[:-1], NUM_POSITIONS * NUM_FILLS).index_add_(-1, bucket_N, moments)
        self._moments = sums.cpu() if self._moments is None else self._moments + sums.cpu()

    def baseline(self) -> "NullBaseline":
        """Raises ValueError if no text was seen."""
        if self._moments is None:
            raise ValueError("a null baseline needs at least one text; call update first")
        count, total, squares = self._moments
        mean = total / count
        spread = (squares / count - mean.square()).clamp(min=0.0).sqrt()
        return NullBaseline(
            layers=self._layers,
            horizon=self.plan.horizon,
            window=self.plan.window,
            mean=mean.float(),
            spread=spread.float(),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class NullBaseline:
    """Expected reading of each head by bucket; NaN in buckets that the calibration set never filled."""

    layers: tuple[int, ...]
    horizon: tuple[int, int]
    window: int
    mean: Float[Tensor, "2 L H K"]
    spread: Float[Tensor, "2 L H K"]
    """Standard deviation."""

    def residuals(
        self, readings: Readings, *, standardise: bool = False
    ) -> tuple[Float[Tensor, "L B H S"], Float[Tensor, "L B H S"]]:
        """(FAI, WAAD) less what was to be expected, with `standardise` in standard deviations.

        0 at padding, in buckets never calibrated, and where the spread is 0. Raises ValueError for other layers.
        """
        if readings.layers != self.layers:
            raise ProbeError(f"this baseline is of layers {self.layers}, the readings are of {readings.layers}")
        bucket_BS = buckets(readings.real, self.horizon)
        expected, spread = (
            table.to(bucket_BS.device)[..., bucket_BS].permute(0, 1, 3, 2, 4) for table in (self.mean, self.spread)
        )
        residual = _head_values(readings) - expected
        if standardise:
            residual = residual / spread
        usable = readings.real[:, None] & residual.isfinite()
        fai, waad = residual.where(usable, 0.0)
        return fai, waad

    def save(self, path: Path) -> None:
        """One safetensors file."""
        settings = {"layers": self.layers, "horizon": self.horizon, "window": self.window}
        temporary = path.with_name(f".{path.name}.tmp")
        save_file({"mean": self.mean, "spread": self.spread}, temporary, {"settings": json.dumps(settings)})
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "NullBaseline":
        with safe_open(path, framework="pt") as file:
            settings = json.loads(file.metadata()["settings"])
            return cls(
                layers=tuple(settings["layers"]),
                horizon=tuple(settings["horizon"]),
                window=settings["window"],
                mean=file.get_tensor("mean"),
                spread=file.get_tensor("spread"),
            )


def role_mean(
    values: Float[Tensor, "L B H S"], layers: tuple[int, ...], heads: tuple[Head, ...]
) -> Float[Tensor, "B S"]:
    """Mean of per-head values over the heads of one role."""
    return torch.stack([values[layers.index(layer), :, head] for layer, head in heads]).mean(dim=0)


def _head_values(readings: Readings) -> Float[Tensor, "2 L B H S"]:
    if readings.heads is None:
        raise ValueError("the null baseline is kept by head; listen with ProbePlan(per_head=True)")
    return torch.stack([readings.heads.fai, readings.heads.waad])
