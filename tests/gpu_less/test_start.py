"""The start of a run on machines with GPUs, as far as counts decide it."""

import pytest
import torch

import rl.train
import rl.trainers.trl_args
from launch.recipes import load_recipe
from rl.build import build_trainer
from rl.common.attention_kernels import choose_attention_kernels
from rl.common.device import process_device
from rl.common.distributed import group_timeout, init_distributed
from rl.common.errors import UserError
from rl.config.distributed import DistributedConfig
from rl.config.rollouts import RolloutsConfig
from rl.datasets import load_problems
from rl.models.load import load_model, resolve_dtype
from rl.runs.folder import environment
from rl.train import train
from rl.trainers.trl_args import dpo_arguments, grpo_arguments
from tests.rl.dpo_fixtures import tiny_dpo_config, write_pairs
from tests.rl.grpo_fixtures import tiny_config


def test_grpo_arguments__one_process_with_two_gpus_uses_the_first(claim_gpus, tmp_path):
    claim_gpus(2)
    arguments = grpo_arguments(load_recipe("quickstart", []), folder=tmp_path, bf16=True)
    assert (arguments.device, arguments.n_gpu) == (torch.device("cuda:0"), 1)
    assert arguments.train_batch_size == arguments.per_device_train_batch_size == 8


def test_dpo_arguments__one_process_with_two_gpus_uses_the_first(claim_gpus, tmp_path):
    claim_gpus(2)
    arguments = dpo_arguments(tiny_dpo_config(write_pairs(tmp_path)), folder=tmp_path, bf16=False)
    assert (arguments.device, arguments.n_gpu) == (torch.device("cuda:0"), 1)


def test_build_trainer__starts_beside_a_second_gpu(monkeypatch, tmp_path):
    # the arguments believe in GPUs, and transformers counts two; the device itself is the CPU, so that TRL can build
    monkeypatch.setattr(rl.trainers.trl_args, "visible_gpus", lambda: 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    config = tiny_config()
    trainer = build_trainer(config, tmp_path, load_problems(config.data).train, callbacks=[])
    assert not trainer.args.use_cpu and trainer.args.n_gpu == 1


def test_process_device__is_the_local_ranks_gpu(claim_gpus, monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    claim_gpus(0)
    assert process_device() == torch.device("cpu")
    claim_gpus(8)
    assert process_device() == torch.device("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "5")
    assert process_device() == torch.device("cuda:5")


def test_init_distributed__refuses_more_ranks_than_gpus(claim_gpus, monkeypatch):
    claim_gpus(2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(ValueError, match=r"puts 3 ranks on this machine.*and 2 can be seen"):
        init_distributed(DistributedConfig(processes=3))


def test_train__refuses_bfloat16_on_a_gpu_without_it(claim_gpus, monkeypatch, tmp_path):
    claim_gpus(1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(rl.train, "init_distributed", lambda *_, **__: None)  # which would put a tensor there
    config = tiny_config(model={"dtype": "bfloat16"}, run={"folder": str(tmp_path / "run")})
    says = r"model.dtype=bfloat16 needs a GPU of .*\(sm_80\) or later, and this is Tesla T4; set model.dtype=float32"
    with pytest.raises(UserError, match=says):
        train(config)
    assert not (tmp_path / "run").exists()
    assert (resolve_dtype("auto"), resolve_dtype("float32")) == (torch.float32, torch.float32)
    claim_gpus(1)
    assert (resolve_dtype("auto"), resolve_dtype("bfloat16")) == (torch.bfloat16, torch.bfloat16)


def test_group_timeout__outlasts_a_hung_worker():
    # 3 tries of 600 s, each with a start of 300 s: 2,700 s, on top of the ranks' own 1,800 s
    assert RolloutsConfig(workers=1).longest_wait == 2700.0
    assert group_timeout(2700.0).total_seconds() == 4500.0
    assert RolloutsConfig().longest_wait == 0.0  # nobody to wait for


def test_load_model__is_on_the_processes_device_and_never_uses_cudnn_attention(monkeypatch):
    torch.backends.cuda.enable_cudnn_sdp(True)
    monkeypatch.setattr("rl.models.load.process_device", lambda: torch.device("meta"))
    assert load_model("tiny").device.type == "meta"
    assert not torch.backends.cuda.cudnn_sdp_enabled()
    assert load_model("tiny", device="cpu").device.type == "cpu"


def test_environment__records_gpus_and_attention_kernels(claim_gpus):
    claim_gpus(2)
    torch.backends.cuda.enable_cudnn_sdp(True)
    recorded = environment(seed=0)
    assert recorded["gpus"] == ["Imaginary 0", "Imaginary 1"]
    assert recorded["attention_kernels"] == choose_attention_kernels() == ["flash", "efficient", "math"]
