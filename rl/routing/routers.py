"""Routers: each turns a prompt into one logit per adapter, and the logits into gates."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from peft import PeftModel
from torch import Tensor, nn

from rl.common.errors import UserError
from rl.config.routing import RouterKind, RoutingConfig
from rl.routing.features import attended_features, mean_features, token_features

# Axes: P prompts, L padded prompt tokens, D width of the model, N adapters.


class Router(nn.Module):
    """Computes gates from the prompt's tokens; a subclass defines the features and the logits.

    A subclass with parameters is fitted to the prompts' tasks before training (`rl/routing/fit.py`).
    """

    needs_tasks = False

    def __init__(self, settings: RoutingConfig, width: int):
        """Build an untrained router; `width` is that of the model's embeddings."""
        super().__init__()
        self.settings = settings

    def prompt_features(
        self, policy: PeftModel, ids: Int[Tensor, "P L"], mask: Bool[Tensor, "P L"]
    ) -> tuple[Tensor, ...]:
        """Return the features that `router_logits` takes, computed by the frozen base, so that they can be cached."""
        raise NotImplementedError

    def router_logits(self, *features: Tensor) -> Float[Tensor, "P N"]:
        raise NotImplementedError

    def gates(
        self, policy: PeftModel, ids: Int[Tensor, "P L"], mask: Bool[Tensor, "P L"], tasks: Sequence[str]
    ) -> Float[Tensor, "P N"]:
        return gates_from_logits(self.router_logits(*self.prompt_features(policy, ids, mask)), self.settings.top)


def gates_from_logits(logits: Float[Tensor, "P N"], top: int | None) -> Float[Tensor, "P N"]:
    """Return the softmax of the `top` largest logits (of all when None), 0 elsewhere; ties go to the first adapter."""
    if top is None or top >= logits.shape[1]:
        return logits.softmax(dim=-1)
    best = logits.sort(dim=-1, descending=True, stable=True).indices[:, :top]
    masked = torch.full_like(logits, -torch.inf).scatter(1, best, logits.gather(1, best))
    return masked.softmax(dim=-1)


class TaskRouter(Router):
    """Opens the adapter that the data's column `task` names."""

    needs_tasks = True

    def gates(self, policy: PeftModel | None, ids: Tensor, mask: Tensor, tasks: Sequence[str]) -> Tensor:
        if len(tasks) != len(ids):
            raise ValueError(
                f"routing.router=task needs each prompt's task; {len(ids)} prompts came with {len(tasks)} tasks"
            )
        return nn.functional.one_hot(task_labels(self.settings, tasks), len(self.settings.adapters)).float()


class FixedRouter(Router):
    """Gives every prompt the same gates."""

    def gates(self, policy: PeftModel | None, ids: Tensor, mask: Tensor, tasks: Sequence[str]) -> Tensor:
        weights = [self.settings.weights.get(name, 0.0) for name in self.settings.adapters]
        return torch.tensor([weights] * len(ids))


class AttentionRouter(Router):
    """Attention pooling over the prompt's token features by learned queries, then a linear layer.

    ACCORD's router pools by attention, too, over a separate text encoder (arXiv 2506.11052); this one uses the
    policy's frozen features.
    """

    def __init__(self, settings: RoutingConfig, width: int):
        super().__init__(settings, width)
        self.queries = nn.Parameter(torch.zeros(settings.heads, width))
        self.out = nn.Linear(settings.heads * width, len(settings.adapters))

    def prompt_features(self, policy: PeftModel, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return token_features(policy, ids, mask, layer=self.settings.layer), mask

    def router_logits(self, *features: Tensor) -> Float[Tensor, "P N"]:
        token_features, mask = features
        attention = (token_features @ self.queries.T / token_features.shape[-1] ** 0.5).masked_fill(
            ~mask[..., None], -torch.inf
        )
        pooled = torch.einsum("plh,pld->phd", attention.softmax(dim=1), token_features)
        return self.out(pooled.flatten(1))


class ProbeRouter(Router):
    """A linear layer over the token features, averaged by the attention that the prompt's later tokens pay to each."""

    def __init__(self, settings: RoutingConfig, width: int):
        super().__init__(settings, width)
        self.out = nn.Linear(width, len(settings.adapters))

    def prompt_features(self, policy: PeftModel, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return (attended_features(policy, ids, mask),)

    def router_logits(self, *features: Tensor) -> Float[Tensor, "P N"]:
        return self.out(features[0])


class KMeansRouter(Router):
    """Cosine similarity to each adapter's centre; the centres are fitted once, without labels, and then fixed.

    A policy and an older version of it must route alike, or their importance ratio would compare two networks.
    """

    centres: Tensor
    middle: Tensor
    """The mean of all prompts' features."""

    def __init__(self, settings: RoutingConfig, width: int):
        super().__init__(settings, width)
        self.register_buffer("centres", torch.zeros(len(settings.adapters), width))
        self.register_buffer("middle", torch.zeros(width))

    def prompt_features(self, policy: PeftModel, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return (mean_features(token_features(policy, ids, mask, layer=self.settings.layer), mask),)

    def router_logits(self, *features: Tensor) -> Float[Tensor, "P N"]:
        # With what all prompts share (the template, common words) left in, every cosine would be nearly 1.
        directions = nn.functional.normalize(features[0] - self.middle, dim=-1)
        return directions @ nn.functional.normalize(self.centres, dim=-1).T


ROUTERS: dict[RouterKind, type[Router]] = {
    "task": TaskRouter,
    "fixed": FixedRouter,
    "attention": AttentionRouter,
    "kmeans": KMeansRouter,
    "probe": ProbeRouter,
}
"""The class of each value of `routing.router`."""


def task_labels(settings: RoutingConfig, tasks: Sequence[str]) -> Int[Tensor, " P"]:
    """Return each task's adapter as an index. Raises UserError for a task that no adapter is meant for."""
    names = [settings.adapter_of(task) for task in tasks]
    if None in names:
        unknown = tasks[names.index(None)]
        raise UserError(
            f"routing: no adapter is meant for task {unknown!r}; name one after it, or add it to routing.tasks "
            f"(adapters: {', '.join(settings.adapters)})"
        )
    return torch.tensor([settings.adapters.index(name) for name in names if name is not None])
