"""Settings of `routing`: several LoRA adapters on one base, and what decides which of them answer a prompt."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rl.config.types import FileName, Fraction, Positive, Section, Weight

RouterKind = Literal["task", "fixed", "attention", "kmeans", "probe"]


class RoutingConfig(Section):
    adapters: tuple[FileName, ...] = ()
    """Names of the adapters; none trains the one that is called `default`, without routing."""
    start: Path | None = None
    """A bundle to go on from: adapters that it has go on from theirs, others are fresh, which adds them; the router is
    taken over where it decides among the same adapters, and fitted anew otherwise."""
    ranks: dict[str, Positive] = Field(default_factory=dict)
    """Adapter -> its rank where it is not `lora.r`; `lora.alpha` then grows or shrinks alike."""
    router: RouterKind = "task"
    """What decides. `task`: the data's column `task`. `fixed`: `weights`. `attention`: attention pooling over the
    prompt's token features, learned. `probe`: a linear layer over the features that the prompt's own attention points
    at, learned. `kmeans`: the nearest of as many centres as there are adapters, without labels."""
    tasks: dict[str, str] = Field(default_factory=dict)
    """Task -> adapter; a task that is called like its adapter needs no line."""
    weights: dict[str, Weight] = Field(default_factory=dict)
    """Of `fixed`: adapter -> its gate for every prompt."""
    top: Positive | None = 1
    """Adapters that answer a prompt, their gates summing to 1; null mixes all by the router's probabilities."""
    layer: Annotated[int, Field(ge=0)] = 0
    """Layers of the frozen base that make the token features; 0 takes the embeddings."""
    learn: Literal["labels", "policy"] = "labels"
    """`labels`: fitted to the tasks before training, then frozen. `policy`: trained by the policy's own loss."""
    heads: Positive = 4
    """Of the attention pooling."""
    balance: Weight = 0.01
    """Of the load-balance term while the policy's loss trains the router (arXiv 2101.03961, equation 4)."""
    fit_steps: Positive = 200
    fit_learning_rate: Annotated[float, Field(gt=0.0)] = 3e-3
    ema: Fraction = 0.9
    """Share of a centre that each batch of `kmeans` keeps."""
    capacity: Annotated[float, Field(ge=1.0)] = 1.25
    """Largest share of a batch that a centre of `kmeans` may take, in even shares."""

    def adapter_of(self, task: str) -> str | None:
        """The adapter that a task is meant for; None when it is not said."""
        name = self.tasks.get(task, task)
        return name if name in self.adapters else None

    @property
    def frozen(self) -> bool:
        """Whether the router stays as it is while the policy trains."""
        return self.router != "attention" or self.learn == "labels"
