"""Head roles: which heads look nearby, which look far, which copy and which only sink."""

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
    """Local and global heads of one model. Raises ValueError if a role has no head, or one twice.

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

    def of(self, layer: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The local and the global heads of one layer."""
        local_heads, global_heads = (
            tuple(head for at, head in heads if at == layer) for heads in (self.local_heads, self.global_heads)
        )
        return local_heads, global_heads

    def save(self, path: Path) -> None:
        document = {"local_heads": self.local_heads, "global_heads": self.global_heads}
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(json.dumps(document, indent=1) + "\n")
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "HeadRoles":
        """Raises ValueError if the file does not hold the two lists of (layer, head) pairs."""
        document = json.loads(path.read_text())
        if set(document) != {"local_heads", "global_heads"}:
            raise ProbeError(f"{path} must hold local_heads and global_heads; it holds {sorted(document)}")
        return cls(**{role: tuple((layer, head) for layer, head in heads) for role, heads in document.items()})


class HeadScoreFitter:
    """Mean score of each head over a calibration set, batch by batch."""

    def __init__(self, layers: tuple[int, ...]):
        self.layers = layers
        self._total: Tensor | None = None
        self._weight = 0

    def update(self, scores: Float[Tensor, "L H"], *, weight: int) -> None:
        """Add one batch: its mean scores, and over how many items (tokens, tests, texts) they are the mean."""
        share = scores.double().cpu() * weight
        self._total = share if self._total is None else self._total + share
        self._weight += weight

    def scores(self) -> Float[Tensor, "L H"]:
        """Raises ValueError if nothing was seen."""
        if self._total is None or not self._weight:
            raise ValueError("no head was scored yet; call update with at least one item first")
        return (self._total / self._weight).float()

    def roles(self, share: float = 0.3) -> HeadRoles:
        """With head spans as scores: the `share` of heads that look nearest are local, as many farthest ones global.

        Source: arXiv 2510.13554, section 2 (30 % each). Raises ValueError for a share outside (0, 0.5].
        """
        if not 0.0 < share <= 0.5:
            raise ValueError(f"share of heads per role must be above 0 and at most 0.5, got {share}")
        nearest_first = [head for _, head in self._ranked()]
        count = max(1, round(share * len(nearest_first)))
        return HeadRoles(
            local_heads=tuple(sorted(nearest_first[:count])), global_heads=tuple(sorted(nearest_first[-count:]))
        )

    def above(self, threshold: float = 0.1) -> tuple[Head, ...]:
        """Heads that score above `threshold`, best first (0.1 in the papers on retrieval heads and on sinks)."""
        return tuple(head for score, head in reversed(self._ranked()) if score > threshold)

    def _ranked(self) -> list[tuple[float, Head]]:
        rows = zip(self.layers, self.scores().tolist(), strict=True)
        return sorted((score, (layer, head)) for layer, row in rows for head, score in enumerate(row))


def head_spans(distance: Float[Tensor, "L B H S"], response: Bool[Tensor, "B S"]) -> Float[Tensor, "L H"]:
    """Head span d(l, h): mean over the response tokens t of sum_s A[t, s] (t-s) (arXiv 2510.13554, section 2).

    `distance` is `HeadReadings.distance`. The prompt's length enters, so calibrate on prompts like those to be read.
    """
    return (distance * response[:, None]).sum(dim=(1, 3)) / response.sum().clamp(min=1)


def distance_beyond_first(
    distance: Float[Tensor, "L B H S"], first_mass: Float[Tensor, "L B H S"], real: Bool[Tensor, "B S"]
) -> Float[Tensor, "L B H S"]:
    """Expected distance of the attention that does not go to the first token; 0 where (nearly) all of it does.

    The first token is most heads' sink, so that the paper's head span mostly ranks heads by how much they sink. This
    is our alternative to `HeadReadings.distance`.
    """
    place = (real.long().cumsum(dim=1) - 1)[:, None]
    rest = 1.0 - first_mass
    return ((distance - first_mass * place) / rest.clamp(min=1e-4)).masked_fill(rest < 1e-4, 0.0)


def copy_scores(
    top_key: Int[Tensor, "L B H S"],
    ids: Int[Tensor, "B S"],
    needle: Bool[Tensor, "B S"],
    answer: Bool[Tensor, "B S"],
) -> Float[Tensor, "L H"]:
    """Retrieval score, mean over B needle tests: |g & k| / |k| (arXiv 2404.15574, section 2).

    k are the needle's tokens; g are those a head looked at most at a step that generated the same token, here read
    teacher-forced over the `answer`. `top_key` is `HeadReadings.top_key`.
    """
    looked = top_key[..., :-1]
    row = torch.arange(len(ids), device=ids.device)[:, None, None]
    # The query at t-1 generates the token at t.
    copied = (ids[row, looked] == ids[:, None, 1:]) & needle[row, looked] & answer[:, None, 1:]
    found = torch.zeros(top_key.shape, device=ids.device).scatter_reduce_(3, looked, copied.float(), reduce="amax")
    return (found.sum(dim=3) / needle.sum(dim=1).clamp(min=1)[:, None]).mean(dim=1)


def mean_received(
    received: Float[Tensor, "L B H S"], real: Bool[Tensor, "B S"], *, fewest: int = 10
) -> Float[Tensor, "L B H S"]:
    """Mean attention that each column gets from the tokens that can see it, (sum_t A[t, s]) / (T-s) (arXiv 2406.15765).

    Those seen by fewer than `fewest` tokens get 0: the last ones are seen by little but
    themselves, and all would count. `received` is `HeadReadings.received`.
    """
    num_seers = real.flip(1).cumsum(dim=1).flip(1)[:, None]
    return (received / num_seers.clamp(min=1)).masked_fill(num_seers < fewest, 0.0)


def sink_columns(
    received: Float[Tensor, "L B H S"], real: Bool[Tensor, "B S"], *, threshold: float = 0.1
) -> Bool[Tensor, "L B H S"]:
    """Columns whose mean received attention is above the paper's threshold."""
    return mean_received(received, real) > threshold


def sink_strengths(received: Float[Tensor, "L B H S"], real: Bool[Tensor, "B S"]) -> Float[Tensor, "L H"]:
    """The strongest column of each head, mean over the B texts."""
    return mean_received(received, real).amax(dim=3).mean(dim=1)


def jaccard(heads: Sequence[Head], others: Sequence[Head]) -> float:
    """|A & B| / |A | B|: 1 if a role kept all its heads between two checkpoints, and for two empty sets."""
    union = set(heads) | set(others)
    return len(set(heads) & set(others)) / len(union) if union else 1.0
