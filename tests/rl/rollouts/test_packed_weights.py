"""Packed weights: the same products, of frozen layers alone, for a while."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from rl.models.load import load_model, load_tokenizer
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.packed_weights import can_multiply, packed_weights
from rl.rollouts.types import RolloutRequest

pytestmark = pytest.mark.skipif(not can_multiply(torch.float32), reason="this CPU has no packed products")


def frozen(*, bias: bool = True, dtype: torch.dtype = torch.float32) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(24, 40, bias=bias, dtype=dtype).requires_grad_(False)


@torch.no_grad()
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
@pytest.mark.parametrize("rows", [1, 8, 33])
def test_packed_layer__computes_what_the_layer_does(bias, dtype, tolerance, rows):
    if not can_multiply(dtype):
        pytest.skip(f"this CPU has no packed products in {dtype}")
    layer, inputs = frozen(bias=bias, dtype=dtype), torch.randn(rows, 1, 24, dtype=dtype)
    expected = inputs.double() @ layer.weight.double().T + (layer.bias.double() if bias else 0.0)
    with packed_weights(nn.Sequential(layer)):
        assert "forward" in vars(layer)
        packed = layer(inputs)
    assert packed.dtype == dtype and packed.shape == (rows, 1, 40)
    torch.testing.assert_close(packed.double(), expected, atol=tolerance, rtol=0.0)


@torch.no_grad()
def test_packed_weights__leave_the_layers_as_they_were_even_after_an_error():
    layer, inputs = frozen(), torch.randn(3, 24)
    before = layer(inputs)
    with pytest.raises(KeyError), packed_weights(layer):
        raise KeyError
    assert "forward" not in vars(layer) and torch.equal(layer(inputs), before)


@torch.no_grad()
def test_packed_weights__are_copied_once_and_again_when_the_weight_has_changed():
    layer, inputs = frozen(bias=False), torch.randn(3, 24)
    with packed_weights(layer):
        first, output = layer.forward, layer(inputs)
    with packed_weights(layer):
        assert layer.forward is first
    layer.weight.mul_(2.0)
    with packed_weights(layer):
        torch.testing.assert_close(layer(inputs), 2.0 * output)
    layer.weight = nn.Parameter(torch.ones(40, 24), requires_grad=False)
    with packed_weights(layer):
        torch.testing.assert_close(layer(inputs), inputs.sum(dim=1, keepdim=True).expand(3, 40))


def test_packed_weights__leave_out_a_layer_that_is_trained_or_is_more_than_its_weight():
    class Special(nn.Linear):
        pass

    patched = frozen()
    patched.forward = lambda inputs: inputs  # as accelerate's hooks do
    layers = [frozen().requires_grad_(True), Special(4, 4).requires_grad_(False), patched, frozen().double(), frozen()]
    forwards = [vars(layer).get("forward") for layer in layers]
    with packed_weights(nn.Sequential(*layers)):
        assert [vars(layer).get("forward") for layer in layers[:-1]] == forwards[:-1]
        assert "forward" in vars(layers[-1])
    assert patched.forward is forwards[2]


def test_sample__draws_the_same_tokens_from_packed_weights():
    torch.manual_seed(0)
    policy = get_peft_model(load_model("tiny"), LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    request = RolloutRequest(position=0, prompts=((5, 7, 30), (9,)), num_generations=4, version=0, seed=1)
    plain, packed = (
        TransformersEngine(
            policy,
            load_tokenizer("tiny"),
            GenerationConfig(temperature=1.0, max_completion_length=10, packed_weights=is_packed),
        ).sample(request)
        for is_packed in (False, True)
    )
    assert [sample.completion_ids for sample in packed] == [sample.completion_ids for sample in plain]
    for one, other in zip(packed, plain, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)
