"""The probe plan: which layers and heads to read, and over which distances."""

from dataclasses import dataclass

from attention_probes.errors import ProbeError
from attention_probes.heads import HeadRoles


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbePlan:
    """A description of what to read from one forward pass.

    Raises ProbeError for a window below 1, a horizon that is not 0 <= nearest <= farthest, or roles outside `layers`.

    Example:
        ProbePlan(layers=(10, 12, 15, 18, 20), window=10, horizon=(10, 100))
    """

    layers: tuple[int, ...] | None = None
    """None takes the layers of `roles`, or else five evenly spaced ones of the middle third."""
    window: int = 10
    """W of the windowed average attention distance, in tokens."""
    horizon: tuple[int, int] = (10, 100)
    """(H_lo, H_hi) of the future attention influence: how far ahead attention counts, in tokens, both ends included."""
    roles: HeadRoles | None = None
    """None reads both the local statistic (WAAD) and the global one (FAI) from all heads."""
    per_head: bool = False
    """Also read every head alone, and the statistics of whole rows; costs about as much as the attention itself."""
    boundary_window: int | None = None
    """Also read the masses that `segments` cuts texts by, this many tokens to either side; None does not."""
    indicators: bool = False
    """Also read the five numbers of `AttentionIndicators`; costs about as much as the attention itself."""

    def __post_init__(self) -> None:
        nearest, farthest = self.horizon
        if self.window < 1:
            raise ProbeError(f"window must be at least 1 token, got {self.window}")
        if not 0 <= nearest <= farthest:
            raise ProbeError(f"horizon must be (nearest, farthest) with 0 <= nearest <= farthest, got {self.horizon}")
        if self.boundary_window is not None and self.boundary_window < 1:
            raise ProbeError(f"boundary_window must be at least 1 token, got {self.boundary_window}")
        if self.roles is not None and self.layers is not None and not set(self.roles.layers) <= set(self.layers):
            raise ProbeError(f"roles name heads of layers {self.roles.layers}, but the plan reads layers {self.layers}")

    def layers_of(self, num_layers: int, num_heads: int) -> tuple[int, ...]:
        """Return the layers to read in a model of that shape. Raises ProbeError for a layer or head that it lacks."""
        if self.layers is not None:
            layers = tuple(sorted(set(self.layers)))
        else:
            layers = self.roles.layers if self.roles is not None else middle_layers(num_layers)
        if not layers or layers[0] < 0 or layers[-1] >= num_layers:
            raise ProbeError(f"cannot read layers {layers}; this model has layers 0 to {num_layers - 1}")
        heads = () if self.roles is None else self.roles.local_heads + self.roles.global_heads
        if absent := [(layer, head) for layer, head in heads if not 0 <= head < num_heads]:
            raise ProbeError(f"roles name heads {absent}; each layer of this model has heads 0 to {num_heads - 1}")
        return layers


def middle_layers(num_layers: int, count: int = 5) -> tuple[int, ...]:
    """Return `count` evenly spaced layers from floor(L/3) to floor(2L/3), fewer in small models (arXiv 2510.13554)."""
    first, last = num_layers // 3, 2 * num_layers // 3
    return tuple(sorted({first + round(step * (last - first) / (count - 1)) for step in range(count)}))
