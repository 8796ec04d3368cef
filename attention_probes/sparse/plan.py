"""Sparse plan: which blocks of keys each block of queries reads."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attention_probes.errors import ProbeError

# Axes: B rows of the batch, H query heads, K key heads (H = K * groups), S tokens, N blocks of them, M blocks that a
# query block reads, D head dimension.
# Tokens and blocks are counted from each text's first real token, so that padding moves no block.


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """Queries and keys of one layer, each text from its first real token on, padded on the right to whole blocks."""

    query: Float[Tensor, "B H S D"]
    key: Float[Tensor, "B K S D"]
    lengths: Int[Tensor, " B"]
    """Real tokens of each text."""
    scale: float

    def real(self) -> Bool[Tensor, "B S"]:
        """Mark the tokens that are not padding."""
        return torch.arange(self.query.shape[2], device=self.query.device) < self.lengths[:, None]

    def head_keys(self) -> Float[Tensor, "B H S D"]:
        """Return the keys with one copy for each query head."""
        return self.key.repeat_interleave(self.query.shape[1] // self.key.shape[1], dim=1)

    def block_means(self, values: Float[Tensor, "B H S D"], block: int) -> Float[Tensor, "B H N D"]:
        """Return the mean of each block's real tokens; 0 for a block without any."""
        real_BNb = self.real().unflatten(1, (-1, block)).float()
        totals = torch.einsum("bhnsd,bns->bhnd", values.float().unflatten(2, (-1, block)), real_BNb)
        return totals / real_BNb.sum(dim=2).clamp(min=1.0)[:, None, :, None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What a query may read beside its plan, and how the logits are made."""

    window: int | None = None
    """Tokens of a sliding window, the query's own included."""
    softcap: float | None = None
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SparsePlan(ABC):
    """A plan; every one keeps the block of the query itself and the first block, which holds most heads' sink.

    Raises ProbeError for a block or a number of dense layers that is out of range.
    """

    name: ClassVar[str]
    looks_ahead: ClassVar[bool] = False
    """Whether what a query reads depends on later tokens, of its own block or of the whole text. Log-probs of a
    training forward pass would then leak what the policy did not know."""

    block: int = 64
    """Tokens of a block, of queries and of keys."""
    dense_layers: int = 2
    """The first layers, which stay dense."""

    def __post_init__(self) -> None:
        if self.block < 1 or self.dense_layers < 0:
            raise ProbeError(
                f"{self.name} needs blocks of at least 1 token and no negative number of dense layers; got "
                f"block={self.block} and dense_layers={self.dense_layers}"
            )

    @abstractmethod
    def choose(self, texts: Texts) -> Bool[Tensor, "_ _ N N"]:
        """Mark the key blocks that each query block reads; what is later than the query need not be unmarked."""

    def keep(self, texts: Texts) -> Bool[Tensor, "_ _ N N"]:
        """Return the choice with the first block and each query's own, and without later ones.

        A plan that looks at no content chooses for all texts and heads at once: its leading axes are 1.
        """
        num_blocks = texts.query.shape[2] // self.block
        back = blocks_back(num_blocks, texts.query.device)
        with torch.no_grad():
            chosen = self.choose(texts)
        return (chosen | (back == 0) | (back == back[:, :1])) & (back >= 0)


def blocks_back(num_blocks: int, device: torch.device) -> Int[Tensor, "N N"]:
    """Return how many blocks back each key block lies from each query block; negative for later ones."""
    block = torch.arange(num_blocks, device=device)
    return block[:, None] - block


def at_least(name: str, **settings: int) -> None:
    """Raise ProbeError unless every setting of the plan is at least 1."""
    if wrong := {key: value for key, value in settings.items() if value < 1}:
        raise ProbeError(f"{name} needs {' and '.join(wrong)} of at least 1, got {wrong}")


def density(keep: Bool[Tensor, "_ _ N N"], lengths: Int[Tensor, " B"], block: int) -> Float[Tensor, ""]:
    """Return the share of the blocks up to each query's own that are read, over the blocks that hold real tokens."""
    num_blocks = keep.shape[2]
    within_BN = torch.arange(num_blocks, device=keep.device) * block < lengths[:, None]
    possible = (blocks_back(num_blocks, keep.device) >= 0) & within_BN[:, None, :, None]
    return (keep & possible).float().mean(dim=1).sum() / possible.sum()


def selected_blocks(keep: Bool[Tensor, "*any M"]) -> tuple[Int[Tensor, "*any read"], Bool[Tensor, "*any read"]]:
    """Return the marked blocks of each head in order, as many as any head reads, and which of these exist."""
    count = int(keep.sum(dim=-1).max())
    # A stable sort of what is unmarked puts the marked blocks first, in order.
    order = (~keep).to(torch.uint8).sort(dim=-1, stable=True).indices[..., :count]
    return order, keep.gather(-1, order)
