"""Probe reader: what the probe records of a forward pass, and its readings for the completions."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attention_probes.constraint_attention import constraint_attention, prompt_spans
from attention_probes.heads import HeadRoles
from attention_probes.indicators import INDICATORS
from attention_probes.listening import WINDOW
from attention_probes.null_baseline import NullBaseline, role_mean
from attention_probes.record import AttentionRecorder, ProbePlan, Readings, record_attention
from attention_probes.segments import boundary_scores
from rl.common.errors import UserError
from rl.config.credit import ProbeConfig

# Axes: L layers read, B rows, C constraints, S tokens of prompt and completion, T completion tokens, the last of S.

PREFIX = "probe_"
"""Of the columns of a batch that hold readings."""
TOKEN_READINGS = ("fai", "waad", "boundary", "indicators")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeReadings:
    """Readings of the completions from one forward pass."""

    fai: Float[Tensor, "B T"]
    waad: Float[Tensor, "B T"]
    attention: Float[Tensor, "B C T"] | None = None
    """Each token's attention to each constraint's passage, relative to the prompt's other tokens; 0 if undefined."""
    boundary: Float[Tensor, "B T"] | None = None
    """`boundary_scores` of the tokens read, by which completions are cut into segments."""
    indicators: Float[Tensor, "B N T"] | None = None
    """One value for each of `ProbeReader.indicator_names`."""


class ProbeReader:
    """Records and reads by one plan, raw or as the residual over a null baseline."""

    def __init__(self, probe: ProbeConfig, *, readings: Literal["raw", "residual"] = "raw", all_heads: bool = False):
        self.roles = None if probe.roles is None or all_heads else HeadRoles.load(probe.roles)
        self.baseline = NullBaseline.load(probe.baseline) if readings == "residual" and probe.baseline else None
        self.indicator_names: tuple[str, ...] = ()
        """Name and group of layers of each indicator that was read, as in entropy/layers_10-12."""
        self.plan = ProbePlan(
            layers=probe.layers,
            window=probe.window,
            horizon=probe.horizon,
            roles=self.roles,
            per_head=self.baseline is not None,
            boundary_window=WINDOW if probe.listen == "always" else None,
            indicators=probe.indicators,
        )
        if self.baseline is not None and (self.baseline.horizon, self.baseline.window) != (probe.horizon, probe.window):
            raise UserError(
                f"{probe.baseline} is of horizon {self.baseline.horizon} and window {self.baseline.window}, but "
                f"probe.horizon={probe.horizon} and probe.window={probe.window}; fit it again, or set them alike"
            )

    def recording(
        self, model: nn.Module, *, spans: Bool[Tensor, "B N S"] | None = None, wanted: bool = True
    ) -> AbstractContextManager[AttentionRecorder | None]:
        """Record the first forward pass in the block and its attention to `spans`, or nothing unless `wanted`."""
        return record_attention(model, self.plan, spans=spans) if wanted else nullcontext()

    def read(self, recorder: AttentionRecorder, length: int) -> ProbeReadings:
        """Return the readings of the last `length` tokens."""
        readings = recorder.read()
        fai, waad = (readings.fai, readings.waad) if self.baseline is None else self._residual(readings)
        attention = None
        if readings.span_mass is not None and recorder.spans is not None:
            relative_LBSC = constraint_attention(readings.span_mass, recorder.spans).relative[:, :, 0]
            attention = relative_LBSC.nanmean(dim=0).nan_to_num(nan=0.0)[:, -length:].transpose(1, 2)
        return ProbeReadings(
            fai=fai[:, -length:],
            waad=waad[:, -length:],
            attention=attention,
            boundary=_boundary(readings, length),
            indicators=self._indicators(readings, length),
        )

    def _indicators(self, readings: Readings, length: int) -> Float[Tensor, "B N T"] | None:
        """Return each indicator's mean over each group of layers."""
        if readings.indicators is None:
            return None
        groups = layer_groups(readings.layers)
        self.indicator_names = tuple(f"{name}/{group}" for name in INDICATORS for group in groups)
        by_layer = (getattr(readings.indicators, name)[..., -length:] for name in INDICATORS)
        return torch.stack([values[places].mean(dim=0) for values in by_layer for places in groups.values()], dim=1)

    def _residual(self, readings: Readings) -> tuple[Float[Tensor, "B S"], Float[Tensor, "B S"]]:
        assert self.baseline is not None
        fai, waad = self.baseline.residuals(readings)
        if self.roles is None:
            return fai.mean(dim=(0, 2)), waad.mean(dim=(0, 2))
        layers = readings.layers
        return role_mean(fai, layers, self.roles.global_heads), role_mean(waad, layers, self.roles.local_heads)


def layer_groups(layers: tuple[int, ...]) -> dict[str, slice]:
    """Return the lower, the middle and the upper third of the layers read, by name, as places in `layers`."""
    bounds = [round(third * len(layers) / 3) for third in range(4)]
    return {
        f"layers_{layers[start]}-{layers[stop - 1]}": slice(start, stop)
        for start, stop in pairwise(bounds)
        if start < stop
    }


def _boundary(readings: Readings, length: int) -> Float[Tensor, "B T"] | None:
    if readings.boundaries is None:
        return None
    within = readings.real.clone()
    within[:, : within.shape[1] - length] = False
    return boundary_scores(*readings.boundaries, within, window=WINDOW)[:, -length:]


def recording_spans(
    passages: Bool[Tensor, "B C P"], prompt_mask: Tensor, completion_length: int
) -> Bool[Tensor, "B N S"]:
    """Return the passages as spans over prompt and completion, and the two spans that attention is relative to."""
    prompt_BS = torch.nn.functional.pad(prompt_mask.bool(), (0, completion_length))
    return prompt_spans(torch.nn.functional.pad(passages, (0, completion_length)), prompt_BS)


def token_readings(probe_readings: ProbeReadings | None) -> dict[str, Tensor]:
    """Return the readings that `CreditInputs` has fields for; attention belongs to its evidence."""
    named = {} if probe_readings is None else {name: getattr(probe_readings, name) for name in TOKEN_READINGS}
    return {name: values for name, values in named.items() if values is not None}


def as_columns(probe_readings: ProbeReadings) -> dict[str, Tensor]:
    """Return the readings as columns of a batch."""
    named = {f"{PREFIX}{field.name}": getattr(probe_readings, field.name) for field in fields(probe_readings)}
    return {name: value for name, value in named.items() if value is not None}


def from_columns(batch: Mapping[str, Tensor]) -> ProbeReadings | None:
    """Return the readings among a batch's columns, or None."""
    if f"{PREFIX}fai" not in batch:
        return None
    return ProbeReadings(**{field.name: batch.get(f"{PREFIX}{field.name}") for field in fields(ProbeReadings)})  # pyright: ignore[reportArgumentType]
