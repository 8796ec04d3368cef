"""Head roles: which heads read nearby text, and which read the whole of it."""

from dataclasses import dataclass

Head = tuple[int, int]
"""(layer, head)"""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadRoles:
    """Local and global heads of one model.

    Example:
        HeadRoles(local_heads=((10, 0), (12, 3)), global_heads=((10, 5),))
    """

    local_heads: tuple[Head, ...]
    global_heads: tuple[Head, ...]

    def __post_init__(self) -> None:
        if not self.local_heads or not self.global_heads:
            raise ValueError("head roles need at least one local and one global head")

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers with at least one head of either role."""
        return tuple(sorted({layer for layer, _ in self.local_heads + self.global_heads}))

    def local_in(self, layer: int) -> tuple[int, ...]:
        return tuple(head for in_layer, head in self.local_heads if in_layer == layer)

    def global_in(self, layer: int) -> tuple[int, ...]:
        return tuple(head for in_layer, head in self.global_heads if in_layer == layer)
