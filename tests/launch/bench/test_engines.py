"""`heed bench rollouts --engine`: the same units for both engines, and a gap to the learner that is counted by hand."""

from dataclasses import replace

import pytest

from launch.bench.engines import bench_engines, bench_units, logprob_gaps, random_adapter
from rl.config.engines import ENGINES, EngineSpec
from rl.config.model import AdapterConfig, ModelConfig
from rl.config.routing import RoutingConfig
from rl.rollouts.adapter_bytes import host_adapter, serialize_adapter
from rl.rollouts.engine_hf import worker_engine
from rl.rollouts.engines import EngineSetup
from rl.rollouts.generation import GenerationConfig


def test_bench_engines__one_engine_beside_itself_is_equal(monkeypatch):
    monkeypatch.setitem(ENGINES, "same", EngineSpec(module="rl.rollouts.engine_hf"))
    reference, other = bench_engines("same", "tiny", completions=8, length=6, rounds=2)
    assert (reference["engine"], other["engine"]) == ("transformers", "same")
    assert reference["tokens"] == other["tokens"] > 0  # the same weights, seeds and units
    assert reference["logp_gap_max"] == other["logp_gap_max"] < 0.1  # bfloat16, where the CPU has it
    assert reference["ratio_to_transformers"] == 1.0
    assert reference["start_seconds"] == 0.0


def test_bench_units__hold_the_completions_asked_for():
    units = bench_units("tiny", completions=16, units=3)
    assert [(unit.position, len(unit.prompts)) for unit in units] == [(0, 2), (2, 2), (4, 2)]
    assert {unit.num_generations for unit in units} == {8}


SETUP = EngineSetup(
    model=ModelConfig(name="tiny", dtype="float32"),
    lora=AdapterConfig(r=2, alpha=4),
    routing=RoutingConfig(),
    generation=GenerationConfig(temperature=1.0, max_completion_length=4),
)


def test_random_adapter__is_the_same_in_every_run():
    first, second = worker_engine(SETUP), worker_engine(SETUP)
    assert serialize_adapter(host_adapter(first.model)) != serialize_adapter(host_adapter(second.model))
    assert random_adapter(first) == random_adapter(second)


def test_logprob_gaps__are_those_of_each_token():
    learner = worker_engine(SETUP)
    random_adapter(learner)
    sample = learner.sample(bench_units("tiny", completions=8, units=1)[0])[0]
    shifted = replace(sample, logprobs=tuple(value + step / 10 for step, value in enumerate(sample.logprobs)))
    assert logprob_gaps(learner, shifted).tolist() == pytest.approx(
        [0.0, 0.1, 0.2, 0.3][: len(sample.logprobs)], abs=1e-5
    )
