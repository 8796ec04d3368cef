"""Head roles and scores: which heads attend nearby, which far back, which copy, and which only sink."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attention_probes.errors import ProbeError

# Axes: L layers read, B rows of the batch, H heads, S tokens.

Head = tuple[int, int]
"""(layer, head)"""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadRoles:
    """The local and global heads of one model. Raises ProbeError if a role has no head, or one twice.

    Example:
        HeadRoles(local_heads=((10, 0), (12, 3)), global_heads=((10, 5),))
    """

    local_heads: tuple[Head, ...]
    global_heads: tuple[Head, ...]

    def __post_init__(self) -> None:
        for role, heads in (("local", self.local_heads), ("global", self.global_heads)):
            if not heads or len(set(heads)) < len(heads):
                raise ProbeError(f"the {role} role needs at least one head and none twice, got {heads}")

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers with at least one head of either role."""
        return tuple(sorted({layer for layer, _ in self.local_heads + self.global_heads}))

    def in_layer(self, layer: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the local and the global heads of one layer."""
        local_heads, global_heads = (
            tuple(head for head_layer, head in heads if head_layer == layer)
            for heads in (self.local_heads, self.global_heads)
        )
        return local_heads, global_heads

    def save(self, path: Path) -> None:
        """Write one JSON file."""
        document = {"local_heads": self.local_heads, "global_heads": self.global_heads}
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(json.dumps(document, indent=1) + "\n")
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "HeadRoles":
        """Read a file of `save`. Raises ProbeError if it does not hold the two lists of (layer, head) pairs."""
        document = json.loads(path.read_text(encoding="utf-8-sig"))
        document.pop("calibration", None)  # of the same model's sinks, which may be saved with its roles
        if set(document) != {"local_heads", "global_heads"}:
            raise ProbeError(f"{path} must hold local_heads and global_heads; it holds {sorted(document)}")
        return cls(**{role: tuple((layer, head) for layer, head in heads) for role, heads in document.items()})


class HeadScoreFitter:
    """Accumulates the mean score of each head over a calibration set, batch by batch."""

    def __init__(self, layers: tuple[int, ...]):
        self.layers = layers
        self._total: Tensor | None = None
        self._weight = 0

    def update(self, scores: Float[Tensor, "L H"], *, weight: int) -> None:
        """Add one batch: its mean scores, and the number of items (tokens, tests, texts) that they are the mean of."""
        weighted = scores.double().cpu() * weight
        self._total = weighted if self._total is None else self._total + weighted
        self._weight += weight

    def scores(self) -> Float[Tensor, "L H"]:
        """Return the mean over all batches. Raises ValueError if there was none."""
        if self._total is None or not self._weight:
            raise ValueError("no head has a score yet; call update with at least one item first")
        return (self._total / self._weight).float()

    def roles(self, share: float = 0.3) -> HeadRoles:
        """Rank heads by span: the `share` with the shortest spans are local, as many with the longest are global.

        Source: arXiv 2510.13554, section 2 (30 % each). Raises ValueError for a share outside (0, 0.5].
        """
        if not 0.0 < share <= 0.5:
            raise ValueError(f"share of heads per role must be above 0 and at most 0.5, got {share}")
        by_span = [head for _, head in self._ranked()]
        count = max(1, round(share * len(by_span)))
        return HeadRoles(local_heads=tuple(sorted(by_span[:count])), global_heads=tuple(sorted(by_span[-count:])))

    def above(self, threshold: float = 0.1) -> tuple[Head, ...]:
        """Return the heads that score above `threshold`, best first (0.1 for retrieval heads and for sinks)."""
        return tuple(head for score, head in reversed(self._ranked()) if score > threshold)

    def _ranked(self) -> list[tuple[float, Head]]:
        rows = zip(self.layers, self.scores().tolist(), strict=True)
        return sorted((score, (layer, head)) for layer, row in rows for head, score in enumerate(row))


def head_spans(distance: Float[Tensor, "L B H S"], response: Bool[Tensor, "B S"]) -> Float[Tensor, "L H"]:
    """Return head spans d(l, h): mean over response tokens t of sum_s A[t, s] (t-s) (arXiv 2510.13554, section 2).

    `distance` is `HeadReadings.distance`. Spans grow with the prompt's length, so calibrate on prompts like those to be
    read.
    """
    return (distance * response[:, None]).sum(dim=(1, 3)) / response.sum().clamp(min=1)


def distance_beyond_first(
    distance: Float[Tensor, "L B H S"], first_mass: Float[Tensor, "L B H S"], real: Bool[Tensor, "B S"]
) -> Float[Tensor, "L B H S"]:
    """Return the expected distance of the attention that does not go to the first token; 0 where (nearly) all does.

    The first token is most heads' sink, so the paper's head span mostly ranks heads by how much they sink. This is our
    alternative to `HeadReadings.distance`.
    """
    position = (real.long().cumsum(dim=1) - 1)[:, None]
    rest = 1.0 - first_mass
    return ((distance - first_mass * position) / rest.clamp(min=1e-4)).masked_fill(rest < 1e-4, 0.0)


def copy_scores(
    top_key: Int[Tensor, "L B H S"],
    ids: Int[Tensor, "B S"],
    needle: Bool[Tensor, "B S"],
    answer: Bool[Tensor, "B S"],
) -> Float[Tensor, "L H"]:
    """Return retrieval scores, mean over B needle tests: |g & k| / |k| (arXiv 2404.15574, section 2).

    k are the needle's tokens; g are those that got a head's highest attention at a step that generated the same token,
    here read teacher-forced over the `answer`. `top_key` is `HeadReadings.top_key`.
    """
    key = top_key[..., :-1]
    row = torch.arange(len(ids), device=ids.device)[:, None, None]
    # The query at t-1 generates the token at t.
    copied = (ids[row, key] == ids[:, None, 1:]) & needle[row, key] & answer[:, None, 1:]
    retrieved = torch.zeros(top_key.shape, device=ids.device).scatter_reduce_(3, key, copied.float(), reduce="amax")
    return (retrieved.sum(dim=3) / needle.sum(dim=1).clamp(min=1)[:, None]).mean(dim=1)


def mean_received(
    received: Float[Tensor, "L B H S"], real: Bool[Tensor, "B S"], *, min_queries: int = 10
) -> Float[Tensor, "L B H S"]:
    """Return each column's mean over the tokens that can attend to it, (sum_t A[t, s]) / (T-s) (arXiv 2406.15765).

    Columns visible to fewer than `min_queries` tokens get 0: the last tokens are visible to little but themselves, and
    all would count as sinks. `received` is `HeadReadings.received`.
    """
    num_queries = real.flip(1).cumsum(dim=1).flip(1)[:, None]
    return (received / num_queries.clamp(min=1)).masked_fill(num_queries < min_queries, 0.0)


def sink_columns(
    received: Float[Tensor, "L B H S"], real: Bool[Tensor, "B S"], *, threshold: float = 0.1
) -> Bool[Tensor, "L B H S"]:
    """Mark the columns whose mean received attention is above the paper's threshold."""
    return mean_received(received, real) > threshold


def sink_strengths(received: Float[Tensor, "L B H S"], real: Bool[Tensor, "B S"]) -> Float[Tensor, "L H"]:
    """Return the mean received attention of each head's strongest column, mean over the B texts."""
    return mean_received(received, real).amax(dim=3).mean(dim=1)


def jaccard(heads: Sequence[Head], others: Sequence[Head]) -> float:
    """Return |A & B| / |A | B|: 1 if a role has the same heads in both checkpoints, and for two empty sets."""
    union = set(heads) | set(others)
    return len(set(heads) & set(others)) / len(union) if union else 1.0
