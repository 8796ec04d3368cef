"""Types of a rollout: the request for completions that goes to an engine, and the samples that come back."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutRequest:
    """Unit of work: the groups that one `generate` call samples together; its tokens depend on nothing outside it.

    A group is one prompt and its `num_generations` completions.

    Example:
        RolloutRequest(position=40, prompts=((1, 52, 7), (1, 52, 9)), num_generations=8, version=10, seed=0)
    """

    position: int
    """Position of its first group in the data order."""
    prompts: tuple[tuple[int, ...], ...]
    """Token ids, one prompt a group."""
    num_generations: int
    version: int
    """Optimizer steps the policy had made when the request was dispatched."""
    seed: int
    tasks: tuple[str, ...] = ()
    """One a group, where the data says; a router may need them."""
    temperature: float | None = None
    """Of an evaluation on the workers; None samples for training, at the engine's own."""

    @property
    def is_evaluation(self) -> bool:
        """Whether its answers are measured and not trained on; the data order and the ledger do not know it."""
        return self.temperature is not None

    @property
    def stream(self) -> int:
        """The last of the numbers that seed its rows: the version, or 0 where policies are compared by equal draws."""
        return 0 if self.is_evaluation else self.version

    @property
    def positions(self) -> range:
        """The groups' positions in the data order."""
        return range(self.position, self.position + len(self.prompts))

    def __str__(self) -> str:
        last = self.positions[-1]
        if self.is_evaluation:
            return f"held-out prompts {self.position} to {last} (policy version {self.version})"
        groups = f"group {last}" if last == self.position else f"groups {self.position} to {last}"
        return f"{groups} (policy version {self.version})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One completion, with the log-probs that the policy gave its tokens while sampling.

    Example:
        Sample(prompt_ids=(1, 52, 7), completion_ids=(12, 2), logprobs=(-0.1, -0.3), finish_reason="stop", version=10)
    """

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    """T token ids, the end-of-text token included when the policy gave one."""
    logprobs: tuple[float, ...]
    """T log-probs of the temperature-scaled, unfiltered distribution."""
    finish_reason: Literal["stop", "length"]
    version: int
    gates: tuple[float, ...] = ()
    """Weight of each adapter in this row; empty without routing."""
    plan: str = ""
    """Name of the sparse plan that read the prompt; empty for dense attention."""
