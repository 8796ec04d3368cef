"""ZeRO in bfloat16 with workers, and tensors that DeepSpeed really shards: above 100,000 elements, unlike `tiny`'s."""

import json
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

import rl.build
from rl.build import build_trainer
from rl.datasets import load_problems
from rl.models.load import load_tokenizer
from rl.models.tiny_shape import TINY_SHAPE
from rl.runs.jsonl import read_jsonl
from tests.launch.multi_rank import TWO_RANKS, adapter_of, heed
from tests.rl.grpo_fixtures import tiny_config

WIDTH = RANK = (
    512  # each matrix of the attention and each of its LoRA matrices has at least 512 x 256 = 131,072 elements
)


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random model with `tiny`'s vocabulary and matrices wide enough to be sharded."""
    folder = tmp_path_factory.mktemp("wide")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(LlamaConfig(**{**TINY_SHAPE, "hidden_size": WIDTH})).save_pretrained(folder)
    load_tokenizer("tiny").save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("zero", [1, 2, 3])
def test_zero__in_bfloat16_with_two_workers_publishes_what_it_trains(zero, wide_model, tmp_path):
    run = tmp_path / "run"
    small = ["data.num_problems=8", "trainer.max_steps=2", "trainer.beta=0", "rollouts.workers=2", "rollouts.cpus=0.1"]
    wide = [f"model.name={wide_model}", "model.dtype=bfloat16", f"lora.r={RANK}", f"lora.alpha={RANK}"]
    heed("tiny", f"run.folder={run}", *TWO_RANKS, *small, *wide, f"distributed.zero={zero}")
    adapter = adapter_of(run)
    assert any(tensor.numel() > 100_000 for tensor in adapter.values())
    assert all(tensor.any() for name, tensor in adapter.items() if "lora_B" in name)
    steps = [line for line in read_jsonl(run / "metrics.jsonl") if "loss" in line]
    sent = sum(4 * tensor.numel() for tensor in adapter.values())
    assert len(steps) == 2
    for line in steps:
        assert sent < line["sync/bytes"] < sent + 8192  # four bytes a number, and the header with the names
    assert json.loads((run / "summary.json").read_text())["gain"]["num_problems"] == 2


def test_build_trainer__zero_3_shards_the_weights_while_they_are_loaded(monkeypatch, tmp_path):
    class Loading(Exception):
        """The model is being loaded."""

    def load(*_: object, **__: object) -> None:
        assert is_deepspeed_zero3_enabled()
        raise Loading

    monkeypatch.setattr(rl.build, "load_base_model", load)
    config = tiny_config(distributed={"zero": 3})
    with pytest.raises(Loading):
        build_trainer(config, tmp_path, load_problems(config.data).train, callbacks=[])
