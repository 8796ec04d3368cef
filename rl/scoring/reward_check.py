"""Reward check: a training stops at rewards that no advantage can be computed from, or that never come."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from rl.common.errors import RunFailure

# Axes: B completions of all ranks, R rewards.

LARGEST = 1e15
"""The largest reward, in size: advantages square rewards in float32, which ends at 3e38."""
PATIENCE = 5
"""Generation batches in a row without a reward for any completion. One alone may hold only what nothing applies to."""
SHOWN_CHARACTERS = 200


class RewardCheck:
    """Checks the rewards of one generation batch after the other; all ranks see the same, and stop together."""

    def __init__(self, names: Sequence[str], *, batches: int):
        """`names` are those of the rewards; the run has `batches` generation batches."""
        self.names = names
        self._patience = min(PATIENCE, batches)
        self._without_any = 0

    def check(self, rewards: Float[Tensor, "B R"], completions: Sequence[str], *, step: int, first: int = 0) -> None:
        """Check the rewards, NaN for none; `completions` are this rank's, row `first` and those after it.

        Raises RunFailure naming the reward and the completion of one that is infinite or too large, or the rewards when
        no completion got any for several batches.
        """
        for row, column in (rewards.abs() > LARGEST).nonzero().tolist():
            text = completions[row - first] if 0 <= row - first < len(completions) else "of another rank"
            raise RunFailure(
                f"step {step}: the reward {self.names[column]} is {rewards[row, column].item():g} for the completion "
                f"{text[:SHOWN_CHARACTERS]!r}; rewards must be finite and at most {LARGEST:g} in size"
            )
        self._without_any = self._without_any + 1 if rewards.isnan().all() else 0
        if self._without_any >= self._patience:
            raise RunFailure(
                f"step {step}: {', '.join(self.names)} gave no reward (None or NaN) to any completion of the last "
                f"{self._without_any} generation batches, such as {completions[0][:SHOWN_CHARACTERS]!r}: there is "
                "nothing to learn from; a reward must be a number where it applies"
            )
