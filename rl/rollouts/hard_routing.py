"""Hard routing: the one adapter of each prompt, for an engine that takes one adapter a row."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from peft import get_peft_model
from torch import Tensor

from rl.common.errors import RunFailure
from rl.config.model import AdapterConfig, ModelConfig
from rl.config.routing import RoutingConfig
from rl.models.load import load_base_model
from rl.models.lora import lora_config
from rl.models.tokenization import pad_right
from rl.rollouts.types import RolloutRequest
from rl.routing.route import ROUTER
from rl.routing.routers import ROUTERS, Router

# Axes: P prompts, N adapters.


class HardRouter:
    """The learner's router beside an engine that cannot run it; a base model is loaded if it needs token features."""

    def __init__(self, model: ModelConfig, lora: AdapterConfig, routing: RoutingConfig):
        kind, width = ROUTERS[routing.router], 0
        self._policy: Any = None
        if kind.prompt_features is not Router.prompt_features:
            self._policy = get_peft_model(load_base_model(model), lora_config(lora))
            width = self._policy.get_input_embeddings().weight.shape[1]
        self._router = kind(routing, width)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the router's tensors from those of a published policy."""
        self._router.load_state_dict(
            {name.removeprefix(f"{ROUTER}."): tensor for name, tensor in tensors.items() if name.startswith(ROUTER)}
        )

    def tensors(self) -> dict[str, Tensor]:
        return {f"{ROUTER}.{name}": tensor.float() for name, tensor in self._router.state_dict().items()}

    def gates(self, prompts: Sequence[Sequence[int]], tasks: Sequence[str]) -> Float[Tensor, "P N"]:
        """Return each prompt's gates. Raises RunFailure unless one is 1 and the others are 0."""
        ids, mask = pad_right(prompts)
        with torch.no_grad():
            gates = self._router.gates(self._policy, ids, mask, tasks)
        if not torch.equal(gates, torch.eye(gates.shape[1])[gates.argmax(dim=1)]):
            raise RunFailure("this engine samples each row with one adapter, and the router mixes several")
        return gates


def prompt_gates(router: HardRouter | None, request: RolloutRequest) -> list[tuple[float, ...]]:
    """Return the gates of each of a request's prompts, one of which is 1; none without a router."""
    if router is None:
        return []
    return [tuple(row) for row in router.gates(request.prompts, request.tasks).tolist()]
