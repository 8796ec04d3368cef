"""`heed bench rollouts --engine NAME`: an engine beside transformers on the same units, without either's start."""

import time
from dataclasses import replace
from typing import Any

import torch

from rl.config.data import DataConfig
from rl.config.model import AdapterConfig, Dtype, ModelConfig
from rl.config.routing import RoutingConfig
from rl.config.vllm import VllmConfig
from rl.datasets import load_problems
from rl.models.load import load_tokenizer
from rl.models.logprobs import token_logprobs
from rl.models.tokenization import encode_problems
from rl.rollouts.adapter_bytes import adapter_state, host_adapter, serialize_adapter
from rl.rollouts.engine_hf import TransformersEngine, worker_engine
from rl.rollouts.engines import EngineSetup, build_worker_engine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.interfaces import WorkerEngine
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.units import split_requests

REFERENCE = "transformers"
GROUP = 8
SHARE = 0.5
"""Share of a GPU for vLLM, beside the engine that it is compared with."""


def bench_engines(
    engine: str, model: str, *, completions: int, length: int, rounds: int, dtype: Dtype = "auto"
) -> list[dict[str, Any]]:
    """Return a row per engine: tokens a second over `rounds` units, and the log-prob gap to the learner's forward pass.

    Both sample at temperature 1 with the same adapter, in this process. The first unit is a warm-up.
    """
    setup = EngineSetup(
        model=ModelConfig(name=model, dtype=dtype),
        lora=AdapterConfig(),
        routing=RoutingConfig(),
        generation=GenerationConfig(temperature=1.0, max_completion_length=length),
    )
    learner = worker_engine(setup)
    payload = random_adapter(learner)
    units = bench_units(model, completions=completions, units=rounds + 1)
    rows = [bench_row(REFERENCE, learner, learner, units, start_seconds=0.0)]
    begin = time.perf_counter()
    options = VllmConfig().options(SHARE if torch.cuda.is_available() else 0.0) if engine == "vllm" else {}
    other = build_worker_engine(engine, replace(setup, options=options))
    other.load_adapter(payload)
    rows.append(bench_row(engine, other, learner, units, start_seconds=time.perf_counter() - begin))
    for row in rows:
        row["ratio_to_transformers"] = round(row["tokens_per_second"] / rows[0]["tokens_per_second"], 3)
    return rows


def random_adapter(learner: TransformersEngine) -> bytes:
    """Give the learner's adapter weights that change its answers; return them as they are published."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for name, tensor in adapter_state(learner.model).items():
            scale = 0.01 if "lora_B" in name else tensor.shape[1] ** -0.5
            tensor.copy_(torch.randn(tensor.shape) * scale)
    return serialize_adapter(host_adapter(learner.model))


def bench_units(model: str, *, completions: int, units: int) -> list[RolloutRequest]:
    """Return units of work of `completions` rows each, over the prompts of the built-in constraints."""
    groups = max(1, completions // GROUP)
    problems = load_problems(DataConfig(num_problems=groups * units, held_out=0)).train
    prompts = [ids for ids in encode_problems(load_tokenizer(model), problems[: groups * units]) for _ in range(GROUP)]
    return split_requests(prompts, num_generations=GROUP, groups_per_unit=groups, position=0, version=1, seed=0)


def bench_row(
    name: str, engine: WorkerEngine, learner: TransformersEngine, units: list[RolloutRequest], *, start_seconds: float
) -> dict[str, Any]:
    """Return an engine's speed on all units but the first, and its samples' gap to the learner."""
    engine.sample(units[0])
    begin = time.perf_counter()
    samples = [sample for unit in units[1:] for sample in engine.sample(unit)]
    seconds = time.perf_counter() - begin
    tokens = sum(len(sample.completion_ids) for sample in samples)
    gaps = torch.cat([logprob_gaps(learner, sample) for sample in samples])
    return {
        "engine": name,
        "start_seconds": round(start_seconds, 2),
        "tokens": tokens,
        "seconds": round(seconds, 2),
        "tokens_per_second": round(tokens / seconds, 1),
        "logp_gap_max": gaps.max().item(),
        "logp_gap_mean": gaps.mean().item(),
    }


def logprob_gaps(learner: TransformersEngine, sample: Sample) -> torch.Tensor:
    """Return, for each token of a sample, the gap of its log-prob to that of the learner's forward pass."""
    logprobs = token_logprobs(learner.model, [(*sample.prompt_ids, *sample.completion_ids)])[0].cpu()
    return (logprobs[len(sample.prompt_ids) - 1 :] - torch.tensor(sample.logprobs)).abs()
