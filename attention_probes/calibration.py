"""Sink calibration: which heads pay less to attention sinks, and more to the rest (ACT, arXiv 2406.15765)."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from attention_probes.errors import ProbeError
from attention_probes.heads import Head, HeadRoles

CALIBRATION = "calibration"
"""Key of a calibration in a file of head roles."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Which heads are calibrated, and how. Raises ProbeError for values outside their range.

    A column is a sink of a head where its mean received attention, over the queries so far that can see it, is above
    `threshold`; the first token is none. A sink's attention is multiplied by `beta`, and what is removed goes to the
    other columns in proportion to their attention.

    Example:
        Calibration(heads=((10, 0), (12, 3)), beta=0.4)
    """

    heads: tuple[Head, ...]
    threshold: float = 0.1
    """The paper's. Attention per query; an even share is less in any text of more than ten tokens."""
    beta: float = 0.4
    """The published code's; 1 changes nothing."""
    first_receives: bool = False
    """Whether the first token is among the others that get the removed attention. It is so in the published code, where
    the first token, the largest sink of all, gets most of it."""
    min_queries: int = 10
    """Columns that fewer queries can see are no sinks: a token alone gives itself all."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.beta <= 1.0 or not 0.0 < self.threshold < 1.0 or self.min_queries < 1:
            raise ProbeError(
                "a calibration needs beta from 0 to 1, a threshold between 0 and 1 and min_queries of at least 1; got "
                f"{self.beta}, {self.threshold} and {self.min_queries}"
            )

    def in_layer(self, layer: int) -> list[int]:
        """Return the calibrated heads of one layer; none where nothing would change."""
        return sorted(head for head_layer, head in set(self.heads) if head_layer == layer and self.beta < 1.0)

    def save(self, path: Path, roles: HeadRoles | None = None) -> None:
        """Write one JSON file, which with `roles` also serves as the file of those."""
        document = {CALIBRATION: asdict(self)} | ({} if roles is None else asdict(roles))
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(json.dumps(document, indent=1) + "\n")
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read a file of `save`. Raises ProbeError if it holds no calibration."""
        document = json.loads(path.read_text(encoding="utf-8-sig"))
        fields = document.get(CALIBRATION)
        if not isinstance(fields, dict) or not set(fields) <= set(cls.__dataclass_fields__) or "heads" not in fields:
            raise ProbeError(
                f"{path} holds no calibration; `heed probe sinks` writes one (it holds {sorted(document)})"
            )
        return cls(**{**fields, "heads": tuple((layer, head) for layer, head in fields["heads"])})
