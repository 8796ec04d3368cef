"""4-bit base: it trains, resumes and samples as one policy, and its adapter loads on the full base."""

import importlib.util
import shutil

import pytest
import torch

from launch.plan.device import Device
from launch.plan.shape import shape_of
from launch.plan.workload import Workload
from rl.common.errors import UserError
from rl.config.model import ModelConfig
from rl.export.verify import export_run
from rl.models.load import load_base_model, load_model
from rl.models.quantization import check_quantization
from rl.train import train
from tests.rl.config_fixtures import problems
from tests.rl.grpo_fixtures import credit_trainer, outcome, recipe_config, tiny_config
from tests.rl.rollouts.in_process_pool import use_in_process_pool

needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="needs `pip install heed[quantized]`"
)
FOUR_BIT = {"name": "tiny", "dtype": "float32", "quantization": "4bit"}


def test_check_quantization__names_the_extra_of_a_missing_package(monkeypatch):
    check_quantization(ModelConfig())
    monkeypatch.setattr("rl.models.quantization.PACKAGE", "heed_no_such_package")
    with pytest.raises(UserError, match=r"model.quantization=4bit needs heed_no_such_package.*heed\[quantized\]"):
        check_quantization(ModelConfig(quantization="4bit"))


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (
            {"rollouts": {"engine": "vllm", "workers": 1}},
            "model.quantization=4bit trains on a quantized base model, and rollouts.engine=vllm would sample from the "
            "full one, which is another policy; set engine=transformers",
        ),
        (
            {"distributed": {"processes": 2, "zero": 2}},
            "distributed.zero=2 casts and shards weights, which those of model.quantization=4bit do not survive; set "
            "zero=0",
        ),
    ],
)
def test_quantization__is_refused_where_it_cannot_work(sections, sentence):
    assert problems(model={"quantization": "4bit"}, **sections) == [sentence]


@needs_bitsandbytes
def test_load_base__has_close_logits_and_the_bytes_that_the_plan_counts():
    quantized, full = load_base_model(ModelConfig(**FOUR_BIT)), load_model("tiny")
    ids = torch.arange(3, 40)[None]
    logits, expected = (model(input_ids=ids).logits for model in (quantized, full))
    # one of 16 levels a number: a few percent of the spread of the logits
    gap = (logits - expected).pow(2).mean().sqrt() / expected.std()
    assert 0 < gap < 0.2
    device = Device(name="CPU", memory=2**30, is_gpu=False, has_bf16=False)
    workload = Workload(shape=shape_of("tiny"), dtype="float32", quantization="4bit", longest_prompt=0, device=device)
    assert weight_bytes(quantized) == workload.weights < weight_bytes(full) == workload.full_weights


def weight_bytes(model: torch.nn.Module) -> int:
    """Return the bytes of a model's parameters, with the scales and code books of quantized ones."""
    storages = {}
    for weight in model.parameters():
        tensors = [weight.data]
        if state := getattr(weight, "quant_state", None):
            tensors += [state.absmax, state.code, state.offset, state.state2.absmax, state.state2.code]
        storages |= {tensor.data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


@needs_bitsandbytes
def test_training__keeps_the_adapter_in_float32_and_resumes_to_the_same_bits(tmp_path):
    config = tiny_config(model=FOUR_BIT, trainer={"save_steps": 1, "save_total_limit": 4})
    trainer = credit_trainer(config, tmp_path / "whole")
    assert {weight.dtype for weight in trainer.policy.parameters() if weight.requires_grad} == {torch.float32}
    trainer.train()
    shutil.copytree(tmp_path / "whole", tmp_path / "resumed")
    resumed = credit_trainer(config, tmp_path / "resumed")
    resumed.train(resume_from_checkpoint=str(tmp_path / "resumed" / "checkpoint-2"))
    assert outcome(resumed) == outcome(trainer)
    assert all(norm > 0 for norm in outcome(trainer).grad_norms)


@needs_bitsandbytes
@pytest.mark.parametrize("routing", [{}, {"adapters": ["instruction", "lower"], "router": "attention"}])
def test_training__a_worker_samples_what_the_learner_would(routing, tmp_path, monkeypatch):
    use_in_process_pool(monkeypatch)
    results = []
    for workers in (0, 1):
        config = tiny_config(model=FOUR_BIT, routing=routing, rollouts={"workers": workers})
        trainer = credit_trainer(config, tmp_path / str(workers))
        trainer.train()
        gaps = [line["sync/logp_gap_max"] for line in trainer.state.log_history if "sync/logp_gap_max" in line]
        assert gaps and max(gaps) < 1e-4
        results.append(outcome(trainer))
    assert results[0] == results[1]


@needs_bitsandbytes
def test_export__writes_an_adapter_that_loads_on_the_full_base(tmp_path):
    run = train(recipe_config(tmp_path / "run", "model.quantization=4bit", "trainer.max_steps=2"))
    # compares logits with those of plain PEFT on the full base, in a fresh process
    assert export_run(run)["max_logit_gap"] < 1e-5
