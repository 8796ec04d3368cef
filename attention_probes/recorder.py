"""The recorder: collects one forward pass layer by layer and turns it into readings."""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attention_probes import rhythm
from attention_probes.indicators import INDICATORS, AttentionIndicators, indicator_sums
from attention_probes.layer import LayerAttention
from attention_probes.packed import PackedTexts
from attention_probes.plan import ProbePlan
from attention_probes.statistics import boundary_masses, head_statistics, rhythm_sums, span_mass

# Axes: L layers read, B rows of the batch, H heads, P pools of heads, S tokens, C spans.


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadReadings:
    """Readings of every head of every layer read; float32, 0 at padding. `HeadStatistics` documents the last five."""

    waad: Float[Tensor, "L B H S"]
    fai: Float[Tensor, "L B H S"]
    distance: Float[Tensor, "L B H S"]
    entropy: Float[Tensor, "L B H S"]
    first_mass: Float[Tensor, "L B H S"]
    received: Float[Tensor, "L B H S"]
    top_key: Int[Tensor, "L B H S"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Readings:
    """Readings of one forward pass, in the coordinates of its input ids; float32, without gradient, 0 at padding."""

    layers: tuple[int, ...]
    real: Bool[Tensor, "B S"]
    """Tokens that are not padding."""
    waad: Float[Tensor, "B S"]
    """Windowed average attention distance, mean over the local heads, in tokens."""
    fai: Float[Tensor, "B S"]
    """Future attention influence, mean over the global heads; 0 where the horizon holds no token."""
    heads: HeadReadings | None = None
    """With `ProbePlan.per_head`."""
    boundaries: tuple[Float[Tensor, "B S"], Float[Tensor, "B S"]] | None = None
    """With `ProbePlan.boundary_window`: attention that the tokens up to each one, and those after it, get
    from later tokens."""
    indicators: AttentionIndicators | None = None
    """With `ProbePlan.indicators`."""
    span_mass: Float[Tensor, "L B P S C"] | None = None
    """With `record_attention(..., spans=)`: mass that each token pays to each span, mean over all heads (P = 1); with
    roles in the plan, over all, the local and the global ones (P = 3; NaN in a layer without such heads)."""

    def cpu(self) -> "Readings":
        """Return the same readings in the host's memory."""
        return _on_cpu(self)


def _on_cpu(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.cpu()
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _on_cpu(getattr(value, field.name)) for field in fields(value)})
    return tuple(map(_on_cpu, value)) if isinstance(value, tuple) else value


class AttentionRecorder:
    """Collects one forward pass, layer by layer; `read` gives the result."""

    def __init__(self, plan: ProbePlan, layers: tuple[int, ...], spans: Bool[Tensor, "B C S"] | None = None):
        self.plan = plan
        self.layers = layers
        self.spans = spans
        self.texts: PackedTexts | None = None
        """Set before a forward pass of packed rows, whose texts are then read each as a row of its own."""
        self.clear()

    def clear(self) -> None:
        """Forget everything, so that the next forward pass is the one that is read."""
        self._recorded: dict[int, dict[str, Tensor]] = {}

    def needs_layer(self, layer: int) -> bool:
        """Whether `layer` is still to be recorded; later passes, also gradient checkpointing's, are ignored."""
        return layer in self.layers and layer not in self._recorded

    def record(self, index: int, layer: LayerAttention) -> None:
        """Reduce one layer to what the plan asks of it."""
        plan, layer = self.plan, layer.with_lse()
        reductions = {"real": layer.real(), **self._rhythm(index, layer)}
        if plan.per_head:
            reductions |= _each_head(layer, window=plan.window, horizon=plan.horizon)
        if plan.boundary_window is not None:
            before, after = boundary_masses(layer, mean_pools(layer), window=plan.boundary_window)
            reductions |= {"before": before[:, 0], "after": after[:, 0]}
        if plan.indicators:
            named = indicator_sums(layer)
            reductions |= {f"indicator {name}": values for name, values in named.items()}
        if self.spans is not None:
            roles = () if plan.roles is None else plan.roles.in_layer(index)
            reductions["span_mass"] = span_mass(layer, mean_pools(layer, *roles), self.spans)
        self._recorded[index] = reductions

    def read(self) -> Readings:
        """Return the readings of the forward pass. Raises RuntimeError if a layer of the plan was not recorded."""
        missing = [layer for layer in self.layers if layer not in self._recorded]
        if missing:
            raise RuntimeError(
                f"no attention was recorded in layers {missing}: run the model inside `with record_attention(...)`"
            )
        recorded = [self._recorded[layer] for layer in self.layers]
        stacked = {name: torch.stack([layer[name] for layer in recorded]) for name in recorded[0]}
        plan, real = self.plan, recorded[0]["real"]
        each_head = {field.name: stacked[field.name] for field in fields(HeadReadings)} if plan.per_head else None
        indicators = None
        if plan.indicators:
            indicators = AttentionIndicators(**{name: stacked[f"indicator {name}"] for name in INDICATORS})
        return Readings(
            layers=self.layers,
            real=real,
            waad=rhythm.waad(stacked["nearness"].sum(dim=0), real, window=plan.window),
            fai=rhythm.fai(stacked["future_mass"].sum(dim=0), real, horizon=plan.horizon),
            heads=None if each_head is None else HeadReadings(**each_head),
            boundaries=(stacked["before"].mean(dim=0), stacked["after"].mean(dim=0)) if "before" in stacked else None,
            indicators=indicators,
            span_mass=stacked.get("span_mass"),
        )

    def _rhythm(self, index: int, layer: LayerAttention) -> dict[str, Tensor]:
        """Return this layer's share of the means over the local and over the global heads of all layers."""
        roles = self.plan.roles
        if roles is None:
            pools = mean_pools(layer) / len(self.layers)
        else:
            num_members = torch.tensor([[len(roles.local_heads)], [len(roles.global_heads)]])
            pools = on_device(membership(layer, *roles.in_layer(index)) / num_members, layer)
        nearness, future_mass = rhythm_sums(layer, pools, window=self.plan.window, horizon=self.plan.horizon)
        return {"nearness": nearness[:, 0], "future_mass": future_mass[:, -1]}


def _each_head(layer: LayerAttention, *, window: int, horizon: tuple[int, int]) -> dict[str, Tensor]:
    """Return the fields of `HeadReadings` for one layer."""
    statistics = head_statistics(layer)
    every_head = torch.eye(layer.num_heads, device=layer.device)
    nearness, future_mass = rhythm_sums(layer, every_head, window=window, horizon=horizon)
    real_B1S = layer.real()[:, None]
    return {field.name: getattr(statistics, field.name) for field in fields(statistics)} | {
        "waad": rhythm.waad(nearness, real_B1S, window=window),
        "fai": rhythm.fai(future_mass, real_B1S, horizon=horizon),
    }


def mean_pools(layer: LayerAttention, *roles: tuple[int, ...]) -> Float[Tensor, "P H"]:
    """Return the weights of the mean over all heads, then over each of `roles`; NaN for a role without heads."""
    members = membership(layer, tuple(range(layer.num_heads)), *roles)
    return on_device(members / members.sum(dim=1, keepdim=True), layer)


def membership(layer: LayerAttention, *groups: tuple[int, ...]) -> Float[Tensor, "P H"]:
    """Return 1 where the head is in the group, else 0; on the host."""
    members = torch.zeros(len(groups), layer.num_heads)
    for row, heads in zip(members, groups, strict=True):
        row[list(heads)] = 1.0
    return members


def on_device(pools: Float[Tensor, "P H"], layer: LayerAttention) -> Float[Tensor, "P H"]:
    """Return the pools where the layer is, without waiting for it."""
    return pools.to(layer.device, non_blocking=True)
