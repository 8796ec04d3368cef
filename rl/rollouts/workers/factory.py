"""What a worker is made of: plain values that travel to another machine, and the engine built from them there."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from peft import get_peft_model

from rl.config.model import AdapterConfig
from rl.config.routing import RoutingConfig
from rl.models.load import load_model, load_tokenizer, model_path, resolve_dtype
from rl.models.lora import lora_config
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.engine_vllm import VllmEngine
from rl.rollouts.workers.weight_sync import adapter_state, deserialize_adapter
from rl.rollouts.workers.worker import Worker, WorkerEngine
from rl.routing.route import add_adapters


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerFactory:
    """Calling it with a name makes the worker; the base model is loaded then, once."""

    engine: Literal["transformers", "vllm"] = "transformers"
    model: str
    dtype: Literal["auto", "float32", "bfloat16"]
    lora: AdapterConfig
    routing: RoutingConfig = field(default_factory=RoutingConfig)
    temperature: float
    max_completion_length: int
    threads: int
    """As many as the learner's process would use: a float's last bit depends on it."""
    probe_ids: tuple[int, ...]

    def __call__(self, name: str) -> Worker:
        return Worker(self._engine(), name=name, probe_ids=self.probe_ids)

    def _engine(self) -> WorkerEngine:
        if self.engine == "vllm":
            return VllmEngine(
                model_path(self.model),
                dtype=self.dtype,
                lora=self.lora,
                temperature=self.temperature,
                max_completion_length=self.max_completion_length,
            )
        return self._transformers_engine()

    def _transformers_engine(self) -> "AdapterEngine":
        torch.set_num_threads(self.threads)
        model = load_model(self.model, dtype=resolve_dtype(self.dtype))
        adapted = get_peft_model(model, lora_config(self.lora))
        route = add_adapters(adapted, self.lora, self.routing) if self.routing.adapters else None
        if torch.cuda.is_available():
            adapted.cuda()
        return AdapterEngine(
            adapted,
            load_tokenizer(self.model),
            temperature=self.temperature,
            max_completion_length=self.max_completion_length,
            threads=self.threads,
            route=route,
        )


class AdapterEngine(TransformersEngine):
    """The transformers engine on a model that is the worker's own."""

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        return deserialize_adapter(payload, self.model)

    def active(self) -> dict[str, torch.Tensor]:
        return adapter_state(self.model)
