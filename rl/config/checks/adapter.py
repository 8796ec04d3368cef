"""Contradictions of `lora` and `model.quantization` with each other, with routing and with the engine."""

from collections.abc import Iterator

from rl.config.engines import ENGINES
from rl.config.model import AdapterConfig
from rl.config.sections import Sections
from rl.config.vllm import LORA_RANKS, OUTER_MODULES


def adapter_contradictions(config: Sections) -> Iterator[str]:
    """Yield one sentence for each contradiction, which names the keys and the fix."""
    yield from _lora(config.lora)
    yield from _dora(config)
    yield from _quantization(config)
    yield from _plain_lora(config)


def _lora(lora: AdapterConfig) -> Iterator[str]:
    if lora.layers is not None and isinstance(lora.target_modules, str):
        yield (
            f"lora.layers needs the modules by name, and lora.target_modules is {lora.target_modules!r}; "
            "list them, as in [q_proj, v_proj], or leave lora.layers null"
        )
    if lora.layers is not None and min(lora.layers, default=0) < 0:
        yield f"lora.layers={list(lora.layers)}: layers are numbered from 0, from the embedding up; name none below 0"


def _dora(config: Sections) -> Iterator[str]:
    if config.lora.use_dora and config.routing.adapters:
        yield "lora.use_dora=true is not linear in a gate, which routing needs; set use_dora=false, or drop routing"


def _plain_lora(config: Sections) -> Iterator[str]:
    """Refuse adapters that the engine cannot load."""
    lora, engine = config.lora, config.rollouts.engine
    if not ENGINES[engine].plain_lora:
        return
    others = " or ".join(name for name, spec in ENGINES.items() if not spec.plain_lora)
    if lora.use_dora:
        yield f"lora.use_dora=true cannot be served by rollouts.engine={engine}; set use_dora=false, or engine={others}"
    ranks = {"lora.r": lora.r} | {f"routing.ranks.{name}": rank for name, rank in config.routing.ranks.items()}
    for key, rank in ranks.items():
        if rank > LORA_RANKS[-1]:
            yield (
                f"{key}={rank} is more than rollouts.engine={engine} serves; set at most {LORA_RANKS[-1]}, "
                f"or engine={others}"
            )
    named = lora.target_modules if isinstance(lora.target_modules, tuple) else (lora.target_modules,)
    if outer := sorted(set(OUTER_MODULES) & set(named)):
        yield (
            f"lora.target_modules: rollouts.engine={engine} serves no adapter on {', '.join(outer)}; leave it out, "
            f"or set engine={others}"
        )


def _quantization(config: Sections) -> Iterator[str]:
    quantization, engine = config.model.quantization, config.rollouts.engine
    if quantization is None:
        return
    if not ENGINES[engine].quantized:
        others = " or ".join(name for name, spec in ENGINES.items() if spec.quantized)
        yield (
            f"model.quantization={quantization} trains on a quantized base model, and rollouts.engine={engine} would "
            f"sample from the full one, which is another policy; set engine={others}"
        )
    if zero := config.distributed.zero:
        yield (
            f"distributed.zero={zero} casts and shards weights, which those of model.quantization={quantization} do "
            "not survive; set zero=0"
        )
