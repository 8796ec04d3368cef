"""Power: each query reads near blocks, and those 1, 2, 4, 8, ... blocks back (PowerAttention, arXiv 2503.03588)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Bool
from torch import Tensor

from attention_probes.sparse.plan import SparsePlan, Texts, at_least, blocks_back


@dataclass(frozen=True, kw_only=True, slots=True)
class Power(SparsePlan):
    """Reads `blocks` near blocks and O(log N) far ones, through which d layers reach 2^d blocks back."""

    name: ClassVar[str] = "power"

    blocks: int = 4

    def __post_init__(self) -> None:
        SparsePlan.__post_init__(self)
        at_least(self.name, blocks=self.blocks)

    def choose(self, texts: Texts) -> Bool[Tensor, "1 1 N N"]:
        back = blocks_back(texts.query.shape[2] // self.block, texts.query.device)
        return ((back < self.blocks) | (back & (back - 1) == 0))[None, None]
