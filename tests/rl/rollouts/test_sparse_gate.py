"""The sparse gate: a plan reads prompts while it agrees with dense attention, and samples say what read theirs."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from attention_probes.sparse.attention import sparse
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
    gate = SparseGate(model, sparse, temperature=0.7, decisions=decisions, record=log_file.append, report=lines.append)
    return LocalSampler(TransformersEngine(model, load_tokenizer("tiny"), GENERATION), gate)


def sample(sampler: LocalSampler, version: int, position: int = 0) -> list[Sample]:
    [outcome] = sampler.collect([replace(request(version), position=position)])
    assert isinstance(outcome, SampledRequest)
    return outcome.samples


def plans(sampler: LocalSampler, version: int, position: int = 0) -> set[str]:
    return {one.plan for one in sample(sampler, version, position)}


def test_gate__admits_a_plan_that_agrees_and_says_so_once_a_period(tmp_path):
    """The first request of a period is read densely, for the comparison."""
    model, lines = load_model("tiny"), []
    sampler = make_sampler(tmp_path, model, lines, agreement=0.0)
    assert [plans(sampler, version, position) for version, position in [(0, 0), (0, 2), (9, 4)]] == [
        {""},
        {"window"},
        {"window"},
    ]
    metrics = sampler.pop_metrics()
    assert metrics["sync/sparse_admitted"] == 1.0 and 0.0 < metrics["sync/sparse_density"] < 1.0
    assert len(lines) == 1 and "step 0: prompts are read sparsely" in lines[0]
    assert sampler.pop_metrics() == {}
    assert plans(sampler, 10, 6) == {""} and len(lines) == 2
    assert [(line["step"], line["position"]) for line in read_jsonl(tmp_path / "sparse-0.jsonl")] == [(0, 0), (10, 6)]


def test_gate__compares_the_log_probs_of_completions_at_the_temperature_of_sampling(tmp_path):
    """One completion at a time: all of the prompt but its last token read by the plan, then the rest densely."""
    model, sampler = load_model("tiny"), make_sampler(tmp_path, load_model("tiny"), [], agreement=0.0)
    samples, gaps = sample(sampler, 0), []
    for one in samples:
        ids = torch.tensor([[*one.prompt_ids, *one.completion_ids]])
        length, logprobs = len(one.prompt_ids), []
        for plan in (None, sampler.gate.plan):
            with torch.no_grad(), sparse(model, plan):
                past = model(input_ids=ids[:, : length - 1]).past_key_values
            with torch.no_grad():
                logits = model(input_ids=ids[:, length - 1 : -1], past_key_values=past).logits
            logprobs.append((logits / 0.7).log_softmax(dim=-1)[0].gather(1, ids[0, length:, None]))
        gaps.append((logprobs[0] - logprobs[1]).abs().flatten())
    expected = torch.cat(gaps).neg().exp().quantile(0.05).item()
    assert read_jsonl(tmp_path / "sparse-0.jsonl")[0]["agreement"] == pytest.approx(expected, abs=1e-4)
    assert sampler.pop_metrics()["sync/sparse_agreement"] == pytest.approx(expected, abs=1e-4) and expected < 0.999


def test_gate__keeps_a_plan_that_does_not_agree_out(tmp_path):
    model, lines = load_model("tiny"), []
    sampler = make_sampler(tmp_path, model, lines, agreement=1.0)
    plain = TransformersEngine(model, load_tokenizer("tiny"), GENERATION)
    for position in (0, 2):
        samples = sample(sampler, 0, position)
        assert samples == plain.sample(replace(request(0), position=position)) and samples[0].plan == ""
    assert "prompts are read densely" in lines[0]
    assert sampler.pop_metrics()["sync/sparse_admitted"] == 0.0


def test_gate__decides_in_a_resumed_run_as_before(tmp_path):
    model, lines = load_model("tiny"), []
    first = sample(make_sampler(tmp_path, model, lines, agreement=1.0), 0)
    # The same period, with weights and a threshold that would now admit the plan.
    resumed = make_sampler(tmp_path, model, lines, agreement=0.0)
    assert plans(resumed, 5, 2) == {""}
    assert (plans(resumed, 12, 4), plans(resumed, 12, 6)) == ({""}, {"window"})
    assert len(lines) == 2
    # A request that decided is read densely when it is sampled again, as it was before the run ended.
    again = make_sampler(tmp_path, model, lines, agreement=0.0)
    assert plans(again, 12, 4) == {""} and sample(again, 0) == first


def test_gate__a_sparse_prompt_changes_what_is_sampled(tmp_path):
    model = load_model("tiny")
    sampler = make_sampler(tmp_path, model, [], agreement=0.0)
    sample(sampler, 0)
    with_plan = sample(sampler, 0, 2)
    plain = TransformersEngine(model, load_tokenizer("tiny"), GENERATION).sample(replace(request(0), position=2))
    assert [one.logprobs for one in with_plan] != [one.logprobs for one in plain]
    assert model.config._attn_implementation == "sdpa"


def test_sparse_plan__takes_its_settings():
    assert sparse_plan(SparseConfig(plan="hip", blocks=3, block=32)) == Hip(block=32, top=3)
    assert sparse_plan(SparseConfig(plan="flexprefill", gamma=0.8)) == FlexPrefill(gamma=0.8)
