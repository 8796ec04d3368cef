"""The null baseline: the reading to expect of a head at a position whatever the text says."""

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

# Axes: R = 2 readings (FAI, WAAD), L layers read, B rows of the batch, H heads, S tokens, K buckets, N real tokens.
# A good part of an attention map is position, sink and locality, not content ("Deconstructing Attention"). A reading
# depends on how many earlier tokens share the attention, and FAI on how much of its horizon lies within the text.

NUM_FILLS = 5
"""An empty horizon, and its quarters."""
NUM_POSITIONS = 40
"""Half octaves: up to a million tokens."""


def buckets(real: Bool[Tensor, "B S"], horizon: tuple[int, int]) -> Int[Tensor, "B S"]:
    """Return each token's bucket, by position in its row and by fill of its horizon; meaningless at padding."""
    position = real.long().cumsum(dim=1).clamp(min=1)
    half_octave = (2 * position.double().log2()).long().clamp(max=NUM_POSITIONS - 1)
    fill = (4 * horizon_fill(real, horizon) / (horizon[1] - horizon[0] + 1)).ceil().long()
    return half_octave * NUM_FILLS + fill


class NullBaselineFitter:
    """Accumulates the mean of each head's readings by bucket over a calibration set.

    Shuffled tokens give the null of no content at all, ordinary text that of an average token.
    """

    def __init__(self, plan: ProbePlan):
        self.plan = plan
        self._layers: tuple[int, ...] = ()
        self._sums: Tensor | None = None

    def update(self, readings: Readings) -> None:
        """Add one batch, read with `per_head`. Raises ProbeError for other layers than before."""
        if self._sums is not None and readings.layers != self._layers:
            raise ProbeError(f"this baseline is of layers {self._layers}, the readings are of {readings.layers}")
        self._layers = readings.layers
        values_RLHN = _head_values(readings).double().permute(0, 1, 3, 2, 4)[..., readings.real]
        counted = torch.stack([torch.ones_like(values_RLHN), values_RLHN])
        bucket_N = buckets(readings.real, self.plan.horizon)[readings.real]
        sums = counted.new_zeros(*counted.shape[:-1], NUM_POSITIONS * NUM_FILLS).index_add_(-1, bucket_N, counted)
        self._sums = sums.cpu() if self._sums is None else self._sums + sums.cpu()

    def baseline(self) -> "NullBaseline":
        """Return the means. Raises ValueError if there was no text."""
        if self._sums is None:
            raise ValueError("a null baseline needs at least one text; call update first")
        count, total = self._sums
        mean = (total / count).float()
        return NullBaseline(layers=self._layers, horizon=self.plan.horizon, window=self.plan.window, mean=mean)


@dataclass(frozen=True, kw_only=True, slots=True)
class NullBaseline:
    """The expected reading of each head by bucket; NaN in buckets that no calibration token fell into."""

    layers: tuple[int, ...]
    horizon: tuple[int, int]
    window: int
    mean: Float[Tensor, "2 L H K"]

    def residuals(self, readings: Readings) -> tuple[Float[Tensor, "L B H S"], Float[Tensor, "L B H S"]]:
        """Return (FAI, WAAD) less their expectation; 0 at padding and in buckets never calibrated.

        Raises ProbeError for other layers.
        """
        if readings.layers != self.layers:
            raise ProbeError(f"this baseline is of layers {self.layers}, the readings are of {readings.layers}")
        bucket_BS = buckets(readings.real, self.horizon)
        expected = self.mean.to(bucket_BS.device)[..., bucket_BS].permute(0, 1, 3, 2, 4)
        residual = _head_values(readings) - expected
        usable = readings.real[:, None] & residual.isfinite()
        fai, waad = residual.where(usable, 0.0)
        return fai, waad

    def save(self, path: Path) -> None:
        """Write one safetensors file."""
        settings = {"layers": self.layers, "horizon": self.horizon, "window": self.window}
        temporary = path.with_name(f".{path.name}.tmp")
        save_file({"mean": self.mean}, temporary, {"settings": json.dumps(settings)})
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "NullBaseline":
        """Read a file of `save`."""
        with safe_open(path, framework="pt") as file:
            settings = json.loads(file.metadata()["settings"])
            return cls(
                layers=tuple(settings["layers"]),
                horizon=tuple(settings["horizon"]),
                window=settings["window"],
                mean=file.get_tensor("mean"),
            )


def role_mean(
    values: Float[Tensor, "L B H S"], layers: tuple[int, ...], heads: tuple[Head, ...]
) -> Float[Tensor, "B S"]:
    """Return the mean of per-head values over the heads of one role."""
    return torch.stack([values[layers.index(layer), :, head] for layer, head in heads]).mean(dim=0)


def _head_values(readings: Readings) -> Float[Tensor, "2 L B H S"]:
    if readings.heads is None:
        raise ValueError("the null baseline is fitted per head; record with ProbePlan(per_head=True)")
    return torch.stack([readings.heads.fai, readings.heads.waad])
