"""The table of engines: settings, checks, factory and README follow it, also for an engine that was just added."""

import importlib
import re
from pathlib import Path

import pytest

from rl.config.engines import ENGINES, EngineSpec
from rl.config.load import parse_config
from rl.config.model import AdapterConfig, ModelConfig
from rl.config.routing import RoutingConfig
from rl.rollouts.engines import EngineSetup
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.interfaces import Engine, WorkerEngine
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.factory import WorkerFactory
from tests.rl.grpo_fixtures import credit_trainer, tiny_config

README = Path(__file__).parents[3] / "rl" / "rollouts" / "README.md"
TOY = EngineSpec(module="tests.rl.rollouts.toy_engine", in_process=True, logprobs=False)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "toy", TOY)


@pytest.mark.parametrize("name", [*ENGINES, "toy"])
def test_engine_modules__have_what_the_table_says(name, toy):
    spec, module = ENGINES[name], importlib.import_module(ENGINES[name].module)
    assert callable(module.worker_engine)
    assert hasattr(module, "local_engine") == spec.in_process


def test_an_unknown_engine__is_refused_with_the_names_there_are():
    expected = r"rollouts.engine: should be 'transformers' or 'vllm' or 'vllm_server', got 'vlm'; did you mean 'vllm'\?"
    with pytest.raises(ValueError, match=expected):
        parse_config({"rollouts": {"engine": "vlm", "workers": 1}})


def test_a_new_engine__is_a_setting_that_is_checked_like_the_others(toy):
    assert parse_config({"rollouts": {"engine": "toy"}}).rollouts.engine == "toy"
    stale = {"engine": "toy", "workers": 1, "max_staleness": 1}
    with pytest.raises(ValueError, match=r"correction=token_truncate .* which rollouts.engine=toy does not give"):
        parse_config({"rollouts": stale})
    assert parse_config({"rollouts": {**stale, "correction": "none"}}).rollouts.max_staleness == 1
    with pytest.raises(ValueError, match=r"rollouts.engine=toy samples with one adapter.*set engine=transformers"):
        parse_config({"rollouts": {"engine": "toy"}, "routing": {"adapters": ["a", "b"]}})


def test_a_new_engine__samples_in_a_training_without_workers(toy, tmp_path):
    trainer = credit_trainer(tiny_config(rollouts={"engine": "toy"}, trainer={"max_steps": 1}), tmp_path)
    trainer.train()
    # two groups of four: each repeats the first 1, 2, 3 and 4 tokens of its prompt
    (line,) = (line for line in trainer.state.log_history if "loss" in line)
    assert line["completions/mean_length"] == 2.5
    assert isinstance(trainer.rollouts.sampler.engine, Engine)


def test_a_new_engine__samples_in_a_worker(toy):
    setup = EngineSetup(
        model=ModelConfig(name="tiny", dtype="float32"),
        lora=AdapterConfig(r=2, alpha=4),
        routing=RoutingConfig(),
        generation=GenerationConfig(temperature=1.0, max_completion_length=4),
    )
    worker = WorkerFactory(engine="toy", setup=setup, probe_ids=(5, 6, 7))("worker-0")
    assert isinstance(worker.engine, WorkerEngine)
    request = RolloutRequest(position=0, prompts=((8, 9),), num_generations=2, version=0, seed=0)
    assert [sample.completion_ids for sample in worker.engine.sample(request)] == [(8,), (8, 9)]


def test_the_readme__has_the_table():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", README.read_text(encoding="utf-8"), re.MULTILINE))
    yes = {True: "yes", False: "no"}
    for name, spec in ENGINES.items():
        cells = [
            yes[spec.in_process],
            yes[spec.routing],
            yes[spec.mixes],
            yes[spec.logprobs],
            yes[spec.quantized],
            spec.install or "nothing",
        ]
        assert rows[name] == " | ".join(cells)
