"""Route: a policy's adapters and its router, which turn prompts into gates and gated forward passes."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from peft import PeftModel
from torch import Tensor, nn

from rl.common.errors import UserError
from rl.config.model import AdapterConfig
from rl.config.routing import RoutingConfig
from rl.models.lora import lora_config
from rl.models.tokenization import pad_right
from rl.routing.gates import gated
from rl.routing.routers import ROUTERS, Router, task_labels

ROUTER = "heed_router"
"""The router's attribute name in the base model; `router` is taken in models with experts."""

# Axes: P prompts, L padded prompt tokens, B rows of a batch, N adapters.


class Route:
    """Computes the gates of prompts, and applies gates to forward passes."""

    def __init__(self, policy: PeftModel, settings: RoutingConfig):
        self.policy = policy
        self.settings = settings
        self.names = settings.adapters

    @property
    def router(self) -> Router:
        router = getattr(self.policy.get_base_model(), ROUTER)
        assert isinstance(router, Router)
        return router

    def gates(self, prompts: Sequence[Sequence[int]], tasks: Sequence[str] = ()) -> Float[Tensor, "P N"]:
        """Return the gates of prompts, without a gradient."""
        ids, mask = pad_right(prompts)
        with torch.no_grad():
            return self.gates_with_grad(ids, mask, tasks)

    def gates_with_grad(
        self, ids: Int[Tensor, "P L"], mask: Bool[Tensor, "P L"], tasks: Sequence[str] = ()
    ) -> Float[Tensor, "P N"]:
        """Return the gates of padded prompts on the policy's device, with the router's gradient."""
        device = self.policy.device
        return self.router.gates(self.policy, ids.to(device), mask.to(device), tasks).to(device)

    def applied(self, gates: Float[Tensor, "B N"]) -> AbstractContextManager[None]:
        """Apply one row of gates to each row of the forward passes in the block."""
        return gated(self.policy, self.names, gates.to(self.policy.device))  # once, and not in every layer

    def metrics(self, gates: Float[Tensor, "B N"], tasks: Sequence[str]) -> dict[str, Tensor]:
        """Return each adapter's load, the normalised entropy of the gates, and how often the task's adapter leads."""
        entropy = torch.special.entr(gates / gates.sum(dim=1, keepdim=True).clamp(min=1e-12)).sum(dim=1).mean()
        metrics = {f"routing/load/{name}": load for name, load in zip(self.names, gates.mean(dim=0), strict=True)}
        metrics["routing/entropy"] = entropy / max(1e-12, math.log(len(self.names)))
        known = [row for row, task in enumerate(tasks) if self.settings.adapter_of(task) is not None]
        if known:
            labels = task_labels(self.settings, [tasks[row] for row in known]).to(gates.device)
            metrics["routing/agreement"] = (gates[known].argmax(dim=1) == labels).float().mean()
        return metrics


def add_adapters(policy: PeftModel, lora: AdapterConfig, settings: RoutingConfig) -> Route:
    """Replace the policy's adapter `default` by the named ones, and add an untrained router.

    TRL builds the policy with one adapter called `default`; a `default` among the names is that one. Raises UserError
    for a name that torch needs itself.
    """
    for name in settings.adapters:
        if hasattr(nn.ModuleDict(), name):
            raise UserError(f"routing.adapters: torch does not take {name!r} as a module's name; choose another")
        if name != "default":
            policy.add_adapter(name, lora_config(with_rank(lora, settings.ranks.get(name))))
    if "default" not in settings.adapters:
        policy.set_adapter(settings.adapters[0])
        policy.delete_adapter("default")
    # All active: whenever PEFT enables adapters again after a reference pass, it freezes those that are not.
    tuner: Any = policy.base_model
    tuner.set_adapter(list(settings.adapters))
    base: Any = policy.get_base_model()
    width = base.get_input_embeddings().weight.shape[1]
    setattr(base, ROUTER, ROUTERS[settings.router](settings, width).to(policy.device))
    return Route(policy, settings)


def with_rank(lora: AdapterConfig, rank: int | None) -> AdapterConfig:
    """Return the settings at another rank, with alpha in proportion, so that both learn at the same pace."""
    if rank is None or rank == lora.r:
        return lora
    return lora.model_copy(update={"r": rank, "alpha": max(1, round(lora.alpha * rank / lora.r))})


def load_balancing_loss(gates: Float[Tensor, "B N"]) -> Tensor:
    """Return N times the sum over adapters of load x mean gate: 1 at equal use (arXiv 2101.03961, equation 4)."""
    adapters = gates.shape[1]
    load = torch.zeros_like(gates).scatter(1, gates.argmax(dim=1, keepdim=True), 1.0).mean(dim=0)
    return adapters * (load * gates.mean(dim=0)).sum()


def router_state(policy: PeftModel) -> Mapping[str, Tensor]:
    """Return the router's tensors by name; none without a router."""
    router = getattr(policy.get_base_model(), ROUTER, None)
    return {} if router is None else router.state_dict()
