"""Settings of `routing`: several LoRA adapters on one base model, and the router that chooses among them per prompt."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rl.config.types import FileName, Fraction, Positive, Section, Weight

MIX = "mix"
"""A bundle's adapter that stands for all others."""
RESERVED = (MIX, "routed")
"""Names in a bundle and in its report that no adapter may have."""

RouterKind = Literal["task", "fixed", "attention", "kmeans", "probe"]


class RoutingConfig(Section):
    """The adapters, and the router that gives each prompt a gate for every adapter."""

    adapters: tuple[FileName, ...] = ()
    """Names of the adapters; when empty, one adapter called `default` is trained without routing."""
    start: Path | None = None
    """A bundle (the adapters and router of an earlier run) to continue from. Adapters it does not have start fresh; its
    router is kept if it chooses among the same adapters, and fitted again otherwise."""
    ranks: dict[str, Positive] = Field(default_factory=dict)
    """Adapter -> its rank where it is not `lora.r`; `lora.alpha` is scaled in proportion."""
    router: RouterKind = "task"
    """`task` reads the data's column `task`; `fixed` takes `weights`; `attention` learns attention pooling over the
    prompt's token features; `probe` learns a linear layer over the token features weighted by the prompt's attention;
    `kmeans` takes the nearest of as many centres as there are adapters, and needs no labels."""
    tasks: dict[str, str] = Field(default_factory=dict)
    """Task -> adapter; a task that has the name of its adapter needs no entry."""
    weights: dict[str, Weight] = Field(default_factory=dict)
    """Router `fixed`: adapter -> its gate for every prompt."""
    top: Positive | None = 1
    """Number of adapters used for a prompt, with gates that sum to 1; null uses all by the router's probabilities."""
    layer: Annotated[int, Field(ge=0)] = 0
    """Number of layers of the base model that compute the token features; 0 takes the embeddings."""
    learn: Literal["labels", "policy"] = "labels"
    """`labels` fits the router to the tasks before training, then freezes it; `policy` trains it by the loss."""
    heads: Positive = 4
    """Router `attention`: heads of its attention pooling."""
    balance: Weight = 0.01
    """Weight of the load-balancing loss with `learn=policy` (arXiv 2101.03961, equation 4)."""
    fit_steps: Positive = 200
    """Steps of fitting the router with `learn=labels`."""
    fit_learning_rate: Annotated[float, Field(gt=0.0)] = 3e-3
    ema: Fraction = 0.9
    """Router `kmeans`: share of a centre's old value that each batch keeps."""
    capacity: Annotated[float, Field(ge=1.0)] = 1.25
    """Router `kmeans`: largest share of a batch that a centre may take, as a multiple of an even share."""

    def adapter_of(self, task: str) -> str | None:
        """Return the adapter for a task, or None if there is none."""
        name = self.tasks.get(task, task)
        return name if name in self.adapters else None

    @property
    def frozen(self) -> bool:
        """Whether the router does not change while the policy trains."""
        return self.router != "attention" or self.learn == "labels"
