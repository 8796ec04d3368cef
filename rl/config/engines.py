"""Engines: the name of each sampling engine, what it supports and where its code is.

To add an engine, add it to `ENGINES` and write the module that it names: the allowed values of `rollouts.engine`, the
checks of the settings and the worker's factory all read this table. It imports no torch, as the settings must not.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSpec:
    """What an engine supports and needs.

    Example:
        EngineSpec(module="rl.rollouts.engine_hf", in_process=True, routing=True)
    """

    module: str
    """Has `worker_engine(setup)`, and with `in_process` also `local_engine(model, tokenizer, generation, routing)`."""
    in_process: bool = False
    """Whether it can sample from the live model in the trainer's own process (`rollouts.workers=0`)."""
    routing: bool = False
    """Whether each row can have its own mixture of several adapters, by the `Route` in the attribute `route`."""
    mixes: bool = True
    """With `routing`: whether a row can mix several adapters; otherwise each takes one, with gate 1."""
    plain_lora: bool = False
    """Whether it loads only what vLLM serves: LoRA of a limited rank, without DoRA, on no embedding or output layer."""
    logprobs: bool = True
    """Whether samples have the log-probs of their tokens; an engine without them fills in NaN."""
    caches_prompts: bool = False
    """Whether it keeps what it computed of earlier prompts, of which an adapter's proof must not be a part."""
    quantized: bool = False
    """Whether it can sample from a base model of `model.quantization`, the same that is trained."""
    server: bool = False
    """Whether it asks servers that the user has started, at `rollouts.url`, from threads of the trainer's process."""
    package: str | None = None
    """Import name of a package that is not among Heed's own dependencies."""
    install: str = ""
    """How to get the package, as in "install it with ..."."""


ENGINES: dict[str, EngineSpec] = {
    "transformers": EngineSpec(module="rl.rollouts.engine_hf", in_process=True, routing=True, quantized=True),
    "vllm": EngineSpec(
        module="rl.rollouts.engine_vllm",
        routing=True,
        mixes=False,
        plain_lora=True,
        caches_prompts=True,
        package="vllm",
        install="`pip install heed[vllm]`, or `make setup VLLM=1` in a checkout",
    ),
    "vllm_server": EngineSpec(
        module="rl.rollouts.engine_vllm_server",
        routing=True,
        mixes=False,
        plain_lora=True,
        caches_prompts=True,
        server=True,
    ),
}


def _known(name: str) -> str:
    if name not in ENGINES:
        allowed = " or ".join(repr(known) for known in ENGINES)
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": allowed})
    return name


EngineName = Annotated[str, AfterValidator(_known)]
