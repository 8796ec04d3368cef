"""Engines of a benchmark: workers and a vLLM server give the answers of this process."""

from dataclasses import replace
from pathlib import Path

import pytest

from data.writing import write_rows
from rl.common.errors import RunFailure, UserError
from rl.evaluation.benchmarks.command import BenchmarkOptions, benchmark_command
from rl.evaluation.benchmarks.engines import engine_on_server
from rl.evaluation.target import find_target
from rl.models.load import end_token_ids as loaded_end_token_ids
from rl.models.load import load_model, load_tokenizer, model_path, saved_end_token_ids
from rl.rollouts.generation import GenerationConfig
from tests.rl.rollouts.fake_vllm_server import BASE, FakeVllmServer
from tests.rl.rollouts.in_process_pool import use_in_process_pool

NOUNS = ("sea", "sky", "rain", "wind", "old sea")
GENERATION = GenerationConfig(temperature=0.0, max_completion_length=5)


@pytest.fixture
def options(tmp_path) -> BenchmarkOptions:
    rows = [
        {
            "problem_id": noun,
            "prompt": f"Describe the {noun}. Use no commas.",
            "constraints": [{"id": "punctuation:no_comma", "kwargs": {}}],
        }
        for noun in NOUNS
    ]
    source = str(write_rows(rows, tmp_path / "rules.jsonl"))
    return BenchmarkOptions(benchmark=source, max_tokens=5, batch_size=3, output=tmp_path / "here")


def answers(target: str, options: BenchmarkOptions) -> bytes:
    benchmark_command(target, options)
    assert options.output is not None
    return (options.output / "answers.jsonl").read_bytes()


@pytest.mark.parametrize("strategy", ["direct", "self_reflect"])
def test_engine_on_workers__answers_as_this_process_does(options, strategy, tmp_path, monkeypatch, finished_run):
    use_in_process_pool(monkeypatch)
    for target in ("tiny", str(finished_run.folder)):
        here = replace(options, strategy=strategy, output=tmp_path / f"{len(target)}-here")
        there = replace(here, workers=2, output=tmp_path / f"{len(target)}-there")
        assert answers(target, there) == answers(target, here)


def test_engine_on_server__answers_as_this_process_does(options, tmp_path, finished_run):
    with FakeVllmServer() as server:
        for target in ("tiny", str(finished_run.folder)):
            here = replace(options, output=tmp_path / f"{len(target)}-here")
            there = replace(here, url=f"{server.url}/v1", output=tmp_path / f"{len(target)}-there")
            assert answers(target, there) == answers(target, here)
        base, adapted = ({body["model"] for body in part} for part in (server.bodies[:5], server.bodies[5:]))
        # the base model answers for a model, and a run's adapter, which is unloaded at the end, for the run
        assert (base, adapted) == ({BASE}, set(server.names))
        assert (len(server.names), server.adapters) == (1, {})


def test_engine_on_server__goes_on_in_smaller_batches(options, tmp_path):
    with FakeVllmServer() as server:
        there = replace(options, url=f"{server.url}/v1")
        whole = answers("tiny", there)
        file = options.output / "answers.jsonl"
        file.write_bytes(b"".join(whole.splitlines(keepends=True)[:3]))
        assert answers("tiny", replace(there, batch_size=2)) == whole
    # in this process answers may depend on the rows beside them
    here = replace(options, output=tmp_path / "in-process")
    benchmark_command("tiny", here)
    with pytest.raises(UserError, match="holds a run with batch_size=3, and this one has 2"):
        benchmark_command("tiny", replace(here, batch_size=2))


def test_engine_on_server__that_is_lost_ends_in_a_sentence(options):
    with FakeVllmServer() as server:
        url = server.url
    with pytest.raises(RunFailure, match=r"does not answer .*the same command goes on once it answers"):
        benchmark_command("tiny", replace(options, url=url))


def test_engine_on_server__refuses_a_bundle(tmp_path):
    target = find_target("tiny")
    (tmp_path / "bundle").mkdir()
    with (
        pytest.raises(UserError, match="the target routes prompts to several"),
        engine_on_server(replace(target, folder=tmp_path), GENERATION, url="http://127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize("changes", [{"workers": -1}, {"workers": 1, "url": "http://127.0.0.1:1"}])
def test_benchmark_options__refuse_workers_beside_a_server(changes):
    with pytest.raises(UserError, match="--workers must be at least 0, and does not go with --url"):
        BenchmarkOptions(benchmark="ifeval", **changes)


def test_engine_on_server__the_probe_reads_here_what_the_server_has_sampled(options, tmp_path):
    probed = replace(options, strategy="think", probe=True)
    with FakeVllmServer() as server:
        there = answers("tiny", replace(probed, url=server.url, output=tmp_path / "there"))
    assert there == answers("tiny", probed) and b'"per_token"' in there


def test_benchmark_options__a_server_keeps_its_attention():
    with pytest.raises(UserError, match="which a server keeps"):
        BenchmarkOptions(benchmark="ifeval", calibration=Path("calibration.json"), url="http://127.0.0.1:1")


@pytest.mark.parametrize("with_file", [True, False])
def test_saved_end_token_ids__are_those_of_the_loaded_model(tmp_path, with_file):
    model, tokenizer = load_model("tiny"), load_tokenizer("tiny")
    model.generation_config.eos_token_id = [2, 7]
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    if not with_file:
        (tmp_path / "generation_config.json").unlink()
    loaded = load_model(str(tmp_path))
    expected = loaded_end_token_ids(loaded, tokenizer)
    assert saved_end_token_ids(str(tmp_path)) == expected
    assert expected == ({2, 7} if with_file else {2})
    assert model_path(str(tmp_path)) == str(tmp_path)
