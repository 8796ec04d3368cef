"""The sparse gate: a plan reads prompts while it agrees with dense attention, and samples say what read theirs."""

from pathlib import Path

import pytest
import torch

from attention_probes.sparse.agreement import agreement
from attention_probes.sparse.flexprefill import FlexPrefill
from attention_probes.sparse.hip import Hip
from rl.config.rollouts import SparseConfig
from rl.models.load import load_model, load_tokenizer
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.interfaces import SampledRequest
from rl.rollouts.local import LocalSampler
from rl.rollouts.sparse_gate import SparseGate, sparse_plan
from rl.rollouts.types import RolloutRequest, Sample
from rl.runs.jsonl import JsonlFile, read_jsonl

PROMPTS = (tuple(range(10, 60)), tuple(range(70, 110)))
GENERATION = GenerationConfig(temperature=1.0, max_completion_length=4)


def request(version: int) -> RolloutRequest:
    return RolloutRequest(position=0, prompts=PROMPTS, num_generations=2, version=version, seed=1)


def make_sampler(folder: Path, model, lines: list[str], **settings) -> LocalSampler:
    sparse = SparseConfig(plan="window", block=4, blocks=1, dense_layers=0, every=10, **settings)
    log_file = JsonlFile(folder / "sparse-0.jsonl")
    decisions = read_jsonl(log_file.path)
    gate = SparseGate(model, sparse, decisions=decisions, record=log_file.append, report=lines.append)
    return LocalSampler(TransformersEngine(model, load_tokenizer("tiny"), GENERATION), gate)


def sample(sampler: LocalSampler, version: int) -> list[Sample]:
    [outcome] = sampler.collect([request(version)])
    assert isinstance(outcome, SampledRequest)
    return outcome.samples


def test_gate__admits_a_plan_that_agrees_and_says_so_once_a_period(tmp_path):
    model, lines = load_model("tiny"), []
    sampler = make_sampler(tmp_path, model, lines, agreement=0.0)
    assert {one.plan for version in (0, 3, 9) for one in sample(sampler, version)} == {"window"}
    metrics = sampler.pop_metrics()
    assert metrics["sync/sparse_admitted"] == 1.0 and 0.0 < metrics["sync/sparse_density"] < 1.0
    assert len(lines) == 1 and "step 0: prompts are read sparsely" in lines[0]
    assert sampler.pop_metrics() == {}
    sample(sampler, 10)
    assert len(lines) == 2
    recorded = read_jsonl(tmp_path / "sparse-0.jsonl")
    assert [line["step"] for line in recorded] == [0, 10]
    inputs = {"input_ids": torch.zeros(2, 50, dtype=torch.long), "attention_mask": torch.zeros(2, 50, dtype=torch.long)}
    for row, prompt in enumerate(PROMPTS):
        inputs["input_ids"][row, -len(prompt) :] = torch.tensor(prompt)
        inputs["attention_mask"][row, -len(prompt) :] = 1
    values, density = agreement(model, sampler.gate.plan, inputs)
    assert metrics["sync/sparse_agreement"] == recorded[0]["agreement"] == pytest.approx(values.quantile(0.05).item())
    assert recorded[0]["density"] == pytest.approx(density)


def test_gate__keeps_a_plan_that_does_not_agree_out(tmp_path):
    model, lines = load_model("tiny"), []
    sampler = make_sampler(tmp_path, model, lines, agreement=1.0)
    plain = TransformersEngine(model, load_tokenizer("tiny"), GENERATION).sample(request(0))
    assert sample(sampler, 0) == plain and plain[0].plan == ""
    assert "prompts are read densely" in lines[0]
    assert sampler.pop_metrics()["sync/sparse_admitted"] == 0.0


def test_gate__decides_in_a_resumed_run_as_before(tmp_path):
    model, lines = load_model("tiny"), []
    sample(make_sampler(tmp_path, model, lines, agreement=1.0), 0)
    # The same period, with weights and a threshold that would now admit the plan.
    resumed = make_sampler(tmp_path, model, lines, agreement=0.0)
    assert {one.plan for one in sample(resumed, 5)} == {""}
    assert {one.plan for one in sample(resumed, 12)} == {"window"}
    assert len(lines) == 2


def test_gate__a_sparse_prompt_changes_what_is_sampled(tmp_path):
    model = load_model("tiny")
    with_plan = sample(make_sampler(tmp_path, model, [], agreement=0.0), 0)
    plain = TransformersEngine(model, load_tokenizer("tiny"), GENERATION).sample(request(0))
    assert [one.logprobs for one in with_plan] != [one.logprobs for one in plain]
    assert model.config._attn_implementation == "sdpa"


def test_sparse_plan__takes_its_settings():
    assert sparse_plan(SparseConfig(plan="hip", blocks=3, block=32)) == Hip(block=32, top=3)
    assert sparse_plan(SparseConfig(plan="flexprefill", gamma=0.8)) == FlexPrefill(gamma=0.8)
