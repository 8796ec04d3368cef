"""Engines of a benchmark: what answers it, in this process, on Ray workers or on a vLLM server of the user's own."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from peft import PeftModel, get_peft_model
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rl.common.errors import RunFailure, UserError
from rl.evaluation.target import Target, adapter_folder, load_policy
from rl.models.load import saved_end_token_ids
from rl.models.lora import lora_config
from rl.rollouts.adapter_bytes import serialize_adapter
from rl.rollouts.adapter_folder import read_adapter
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.engine_vllm_server import VllmServerEngine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.interfaces import DroppedRequest, Engine, Sampler
from rl.rollouts.served_adapters import ServedAdapters
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.vllm_http import ServerLost, VllmServer
from rl.rollouts.workers.sampler import start_remote_sampler
from rl.rollouts.workers.served_record import record_names

Policy = PreTrainedModel | PeftModel


class WorkersEngine:
    """Answers each request on all workers, which get its groups in equal parts."""

    def __init__(self, sampler: Sampler, *, workers: int):
        self.sampler = sampler
        self.workers = workers
        self._published: int | None = None

    def sample(self, request: RolloutRequest) -> list[Sample]:
        """Return one sample a row, in order. Raises RunFailure where no worker could answer a part."""
        if request.version != self._published:  # here the number of a turn, with the same weights as any other
            self.sampler.publish(request.version)
            self._published = request.version
        size = math.ceil(len(request.prompts) / self.workers)
        parts = [
            replace(
                request,
                position=request.position + first,
                prompts=request.prompts[first : first + size],
                tasks=request.tasks[first : first + size],
            )
            for first in range(0, len(request.prompts), size)
        ]
        self.sampler.submit(parts)
        samples: list[Sample] = []
        for outcome in self.sampler.collect(parts):
            if isinstance(outcome, DroppedRequest):
                raise RunFailure(f"no worker could answer: {outcome.reason}")
            samples += outcome.samples
        return samples


class ServedEngine:
    """Answers on a vLLM server; one that is lost ends the evaluation, which goes on where it was."""

    def __init__(self, engine: VllmServerEngine):
        self.engine = engine

    def sample(self, request: RolloutRequest) -> list[Sample]:
        """Return one sample a row, in order. Raises RunFailure when the server does not answer."""
        try:
            return self.engine.sample(request)
        except ServerLost as error:
            raise RunFailure(
                f"{error}; the same command goes on once it answers, and a smaller --batch-size asks for less"
            ) from error


@contextmanager
def engine_here(
    target: Target, tokenizer: PreTrainedTokenizerBase, generation: GenerationConfig
) -> Iterator[tuple[Engine, Policy]]:
    """Yield an engine in this process, and the policy that it samples from."""
    policy, route = load_policy(target)
    yield TransformersEngine(policy, tokenizer, generation, route=route), policy


@contextmanager
def engine_on_workers(
    target: Target, tokenizer: PreTrainedTokenizerBase, generation: GenerationConfig, *, workers: int
) -> Iterator[tuple[Engine, Policy]]:
    """Yield an engine on Ray workers, each with a model of its own, and the policy that they are checked against."""
    policy, route = load_policy(target)
    if not isinstance(policy, PeftModel):
        policy = get_peft_model(policy, lora_config(target.config.lora))  # a fresh adapter changes nothing
    assert isinstance(policy, PeftModel)
    config = target.config
    longest = generation.max_completion_length
    sampled = {"temperature": generation.temperature, "max_completion_length": longest}
    config = config.model_copy(
        update={
            "trainer": config.trainer.model_copy(update=sampled),
            "rollouts": config.rollouts.model_copy(update={"workers": workers, "engine": "transformers"}),
        }
    )
    learner = TransformersEngine(policy, tokenizer, generation, route=route)
    sampler = start_remote_sampler(config, learner, None)
    try:
        yield WorkersEngine(sampler, workers=workers), policy
    finally:
        sampler.close()


@contextmanager
def engine_on_server(
    target: Target, generation: GenerationConfig, *, url: str, reads: bool = False
) -> Iterator[tuple[Engine, Policy | None]]:
    """Yield an engine on a server that serves the base model; an adapter of a run is loaded there meanwhile.

    With `reads` it yields the policy as well, loaded here, for a probe to read what the server has sampled.

    Raises UserError for a target that routes prompts to several adapters.
    """
    settings = target.config
    server = VllmServer(url.rstrip("/").removesuffix("/v1"), time_limit=settings.rollouts.time_limit)
    adapter = None if target.folder is None else adapter_folder(target.folder)
    if settings.routing.adapters or (target.folder is not None and adapter is None):
        raise UserError("--url asks for one adapter or none, and the target routes prompts to several; leave it out")
    adapters = ServedAdapters(
        server,
        {} if adapter is None else {"default": settings.lora},
        names=record_names(None, [server.url], None),
        folder=settings.rollouts.adapter_folder,
    )
    ends = sorted(saved_end_token_ids(settings.model.name))
    engine = VllmServerEngine(server, adapters, model=settings.model, generation=generation, stop_token_ids=ends)
    try:
        if adapter is not None:
            engine.load_adapter(serialize_adapter(read_adapter(adapter, "default")))
        yield ServedEngine(engine), load_policy(target)[0] if reads else None
    except ServerLost as error:
        raise RunFailure(f"{error}; start it with the target's base model") from error
    finally:
        engine.close()
