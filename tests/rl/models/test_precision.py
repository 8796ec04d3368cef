"""Precision: in bfloat16, sampler and worker compute the log-probs that the loss computes, on the CPU."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rl.models.load import load_model, load_tokenizer
from rl.models.lora import lora_config
from rl.models.precision import loss_precision
from rl.models.tokenization import encode_prompt
from rl.rollouts.adapter_bytes import host_adapter, serialize_adapter
from rl.rollouts.engine_hf import TransformersEngine, worker_engine
from rl.rollouts.types import RolloutRequest, Sample
from rl.rollouts.workers.sampler import engine_setup
from rl.trainers.grpo import CreditGRPOTrainer
from tests.rl.grpo_fixtures import credit_trainer, tiny_config

BFLOAT16: dict[str, Any] = {"model": {"dtype": "bfloat16"}, "lora": {"r": 8, "alpha": 16}}
PROMPTS = ("Name three fruits.", "Write about the sea and all its fishes, in a few words.")


def adapted_trainer(folder: Path, **sections: Any) -> CreditGRPOTrainer:
    """Return a trainer whose model is where training puts it, with an adapter that matters."""
    trainer = credit_trainer(tiny_config(**BFLOAT16, **sections), folder)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in trainer.policy.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.02 * torch.randn(weight.shape, generator=generator))
    trainer.model = trainer.accelerator.prepare_model(trainer.model).eval()
    return trainer


def request() -> RolloutRequest:
    tokenizer = load_tokenizer("tiny")
    prompts = tuple(encode_prompt(tokenizer, text) for text in PROMPTS)
    return RolloutRequest(position=0, prompts=prompts, num_generations=4, version=0, seed=0)


def batch_of(samples: list[Sample]) -> tuple[Tensor, Tensor, Tensor]:
    """Return ids and mask as TRL pads them, prompts on the left, and the sampled log-probs; its length is theirs."""

    def padded(rows: list[tuple], side: str = "right") -> Tensor:
        return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_side=side)

    prompts, completions = [sample.prompt_ids for sample in samples], [sample.completion_ids for sample in samples]
    ids = torch.cat([padded(prompts, "left"), padded(completions)], dim=1)
    ones = [[(1,) * len(row) for row in rows] for rows in (prompts, completions)]
    mask = torch.cat([padded(ones[0], "left"), padded(ones[1])], dim=1)
    return ids, mask, padded([sample.logprobs for sample in samples])


@torch.no_grad()
def loss_logprobs(trainer: CreditGRPOTrainer, ids: Tensor, mask: Tensor, length: int) -> Tensor:
    return trainer._get_per_token_logps_and_entropies(trainer.model, ids, mask, length)[0]


@torch.no_grad()
def sampler_logprobs(engine: TransformersEngine, ids: Tensor, mask: Tensor, length: int) -> Tensor:
    """Return the log-probs of the sampler's policy, in one pass of the loss's shape."""
    with loss_precision(engine.model):
        logits = engine.model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, -length - 1 : -1]
    return logits.float().log_softmax(dim=-1).gather(2, ids[:, -length:, None]).squeeze(2)


def gap(one: Tensor, other: Tensor, mask: Tensor) -> float:
    return (one - other).abs()[mask[:, -one.shape[1] :].bool()].mean().item()


def engine_of(trainer: CreditGRPOTrainer) -> TransformersEngine:
    sampler: Any = trainer.rollouts.sampler
    return sampler.engine


@pytest.mark.parametrize("rounded", [False, True], ids=["autocast", "deepspeed"])
def test_standing_gap__is_what_matrix_products_of_other_shapes_leave(rounded, tmp_path):
    trainer = adapted_trainer(tmp_path, trainer={"max_completion_length": 24, "shared_prompts": False})
    if rounded:  # as DeepSpeed does, with which accelerate autocasts nothing
        trainer.accelerator.native_amp = False
        trainer.model.forward = trainer.model._original_forward
        trainer.model.to(torch.bfloat16)
    engine = engine_of(trainer)
    ids, mask, sampled = batch_of(engine.sample(request()))
    in_loss = loss_logprobs(trainer, ids, mask, sampled.shape[1])
    same_code = sampler_logprobs(engine, ids, mask, sampled.shape[1])
    # Of the same shape, both are the same to the rounding of a float32 log-sum-exp.
    real = mask[:, -sampled.shape[1] :].bool()
    torch.testing.assert_close(in_loss[real], same_code[real], atol=2e-6, rtol=0)
    assert gap(sampled, in_loss, mask) == pytest.approx(gap(sampled, same_code, mask), abs=2e-6)
    assert 1e-5 < gap(sampled, in_loss, mask) < 1e-3


@pytest.mark.parametrize("zero", [0, 2])
def test_worker__samples_the_learners_bits_in_bfloat16(zero, tmp_path):
    trainer = adapted_trainer(tmp_path)
    learner = engine_of(trainer)
    if zero:
        trainer.model.to(torch.bfloat16)
    worker = worker_engine(engine_setup(tiny_config(**BFLOAT16, distributed={"zero": zero})))
    assert worker.load_adapter(serialize_adapter(host_adapter(learner.model))) == ()
    assert worker.sample(request()) == learner.sample(request())
    assert worker.token_logprobs(request().prompts[0]) == learner.token_logprobs(request().prompts[0])


@pytest.mark.parametrize(
    ("dtype", "adapter", "autocast"),
    [
        (torch.float32, torch.float32, False),
        (torch.bfloat16, torch.float32, True),
        (torch.bfloat16, torch.bfloat16, False),
        (torch.bfloat16, None, True),  # a base model, which adapters on it are compared with
    ],
)
def test_loss_precision__follows_the_types_of_model_and_adapter(dtype, adapter, autocast):
    peft = pytest.importorskip("peft")
    model = load_model("tiny", dtype=dtype)
    layers = []
    if adapter is not None:
        in_float32 = adapter == torch.float32
        policy = peft.get_peft_model(model, lora_config(tiny_config().lora), autocast_adapter_dtype=in_float32)
        layers = [layer for layer in policy.modules() if isinstance(layer, peft.tuners.lora.LoraLayer)]
    with loss_precision(model):
        assert torch.is_autocast_enabled("cpu") == autocast
        assert all(layer.cast_input_dtype_enabled != autocast for layer in layers)
    assert not torch.is_autocast_enabled("cpu")
    assert all(layer.cast_input_dtype_enabled for layer in layers)
