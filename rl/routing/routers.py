"""Routers: each turns prompts into one score an adapter, and scores into gates."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from peft import PeftModel
from torch import Tensor, nn

from rl.common.errors import UserError
from rl.config.routing import RoutingConfig
from rl.routing.features import attended_features, mean_features, token_features

# Axes: P prompts, L padded prompt tokens, D width of the model, N adapters.


class Router(nn.Module):
    """Gates by the prompt's tokens; a subclass says how they are scored."""

    needs_tasks = False

    def __init__(self, settings: RoutingConfig):
        super().__init__()
        self.settings = settings

    def see(self, policy: PeftModel, ids: Int[Tensor, "P L"], mask: Bool[Tensor, "P L"]) -> tuple[Tensor, ...]:
        """What `router_logits` is given of each prompt; from the frozen base, so that it may be kept."""
        raise NotImplementedError

    def router_logits(self, *seen: Tensor) -> Float[Tensor, "P N"]:
        raise NotImplementedError

    def gates(
        self, policy: PeftModel, ids: Int[Tensor, "P L"], mask: Bool[Tensor, "P L"], tasks: Sequence[str]
    ) -> Float[Tensor, "P N"]:
        return gates_from_logits(self.router_logits(*self.see(policy, ids, mask)), self.settings.top)


def gates_from_logits(scores: Float[Tensor, "P N"], top: int | None) -> Float[Tensor, "P N"]:
    """The softmax of the best `top` scores, 0 elsewhere; of all when `top` is None. The first of equals wins."""
    if top is None or top >= scores.shape[1]:
        return scores.softmax(dim=-1)
    best = scores.sort(dim=-1, descending=True, stable=True).indices[:, :top]
    kept = torch.full_like(scores, -torch.inf).scatter(1, best, scores.gather(1, best))
    return kept.softmax(dim=-1)


class TaskRouter(Router):
    """The adapter that the data's column `task` names."""

    needs_tasks = True

    def gates(self, policy: PeftModel, ids: Tensor, mask: Tensor, tasks: Sequence[str]) -> Tensor:
        if len(tasks) != len(ids):
            raise ValueError(
                f"routing.router=task needs each prompt's task; {len(ids)} prompts came with {len(tasks)} tasks"
            )
        return nn.functional.one_hot(task_labels(self.settings, tasks), len(self.settings.adapters)).float()


class FixedRouter(Router):
    """The same gates for every prompt."""

    def gates(self, policy: PeftModel, ids: Tensor, mask: Tensor, tasks: Sequence[str]) -> Tensor:
        weights = [self.settings.weights.get(name, 0.0) for name in self.settings.adapters]
        return torch.tensor([weights] * len(ids))


class AttentionRouter(Router):
    """Learned queries attend over the prompt's token features; a linear layer scores what they find.

    ACCORD's router pools by attention, too, over a text encoder of its own (arXiv 2506.11052); this one sees the
    policy's frozen features.
    """

    def __init__(self, settings: RoutingConfig, width: int):
        super().__init__(settings)
        self.queries = nn.Parameter(torch.zeros(settings.heads, width))
        self.out = nn.Linear(settings.heads * width, len(settings.adapters))

    def see(self, policy: PeftModel, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return token_features(policy, ids, mask, layer=self.settings.layer), mask

    def router_logits(self, *seen: Tensor) -> Float[Tensor, "P N"]:
        features, mask = seen
        attention = (features @ self.queries.T / features.shape[-1] ** 0.5).masked_fill(~mask[..., None], -torch.inf)
        pooled = torch.einsum("plh,pld->phd", attention.softmax(dim=1), features)
        return self.out(pooled.flatten(1))


class ProbeRouter(Router):
    """A linear layer over the features of the tokens that the prompt's own attention points at."""

    def __init__(self, settings: RoutingConfig, width: int):
        super().__init__(settings)
        self.out = nn.Linear(width, len(settings.adapters))

    def see(self, policy: PeftModel, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return (attended_features(policy, ids, mask),)

    def router_logits(self, *seen: Tensor) -> Float[Tensor, "P N"]:
        return self.out(seen[0])


class KMeansRouter(Router):
    """Cosine to each adapter's centre; the centres are fitted once, without labels, and then stay.

    A policy and its older self must route alike, or their importance ratio would compare two networks.
    """

    centres: Tensor
    middle: Tensor

    def __init__(self, settings: RoutingConfig, width: int):
        super().__init__(settings)
        self.register_buffer("centres", torch.zeros(len(settings.adapters), width))
        self.register_buffer("middle", torch.zeros(width))

    def see(self, policy: PeftModel, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return (mean_features(token_features(policy, ids, mask, layer=self.settings.layer), mask),)

    def router_logits(self, *seen: Tensor) -> Float[Tensor, "P N"]:
        # What all prompts share (the template, the usual words) would make every cosine nearly 1.
        directions = nn.functional.normalize(seen[0] - self.middle, dim=-1)
        return directions @ nn.functional.normalize(self.centres, dim=-1).T


def build_router(settings: RoutingConfig, *, width: int) -> Router:
    """A fresh router; `width` is that of the model's embeddings."""
    if settings.router == "task":
        return TaskRouter(settings)
    if settings.router == "fixed":
        return FixedRouter(settings)
    kinds = {"attention": AttentionRouter, "kmeans": KMeansRouter, "probe": ProbeRouter}
    return kinds[settings.router](settings, width)


def task_labels(settings: RoutingConfig, tasks: Sequence[str]) -> Int[Tensor, " P"]:
    """Each task's adapter as its place. Raises ValueError for a task that no adapter is meant for."""
    names = [settings.adapter_of(task) for task in tasks]
    if None in names:
        stranger = tasks[names.index(None)]
        raise UserError(
            f"routing: no adapter is meant for task {stranger!r}; call one so, or add it to routing.tasks "
            f"(adapters: {', '.join(settings.adapters)})"
        )
    return torch.tensor([settings.adapters.index(name) for name in names if name is not None])
