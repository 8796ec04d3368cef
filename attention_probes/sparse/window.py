"""Window: each query reads the blocks just before it, and the first one (after StreamingLLM, arXiv 2309.17453)."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Bool
from torch import Tensor

from attention_probes.sparse.plan import SparsePlan, Texts, at_least, blocks_back


@dataclass(frozen=True, kw_only=True, slots=True)
class Window(SparsePlan):
    """Reads `blocks` blocks, the query's own among them."""

    name: ClassVar[str] = "window"

    blocks: int = 8

    def __post_init__(self) -> None:
        SparsePlan.__post_init__(self)
        at_least(self.name, blocks=self.blocks)

    def choose(self, texts: Texts) -> Bool[Tensor, "1 1 N N"]:
        back = blocks_back(texts.query.shape[2] // self.block, texts.query.device)
        return (back < self.blocks)[None, None]
