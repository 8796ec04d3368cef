"""Gates equal plain LoRA and PEFT's own mixtures, pass gradients, and leave no trace."""

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor

from rl.models.load import load_model
from rl.routing.gates import gated

NAMES = ["default", "upper", "lower"]
IDS = torch.arange(12).view(3, 4)


def adapter(r: int = 4, use_dora: bool = False) -> LoraConfig:
    return LoraConfig(r=r, lora_alpha=3 * r, target_modules="all-linear", init_lora_weights=False, use_dora=use_dora)


@pytest.fixture
def policy() -> PeftModel:
    torch.manual_seed(0)
    model = get_peft_model(load_model("tiny", dtype=torch.float32), adapter())
    for name, rank in (("upper", 2), ("lower", 6)):
        model.add_adapter(name, adapter(rank))
    return model.eval()


def logits(model: PeftModel, ids: Tensor = IDS) -> Tensor:
    return model(input_ids=ids).logits


def gradients(model: PeftModel, adapter_name: str) -> list[Tensor]:
    wanted = [p for n, p in model.named_parameters() if f".{adapter_name}." in n]
    return [p.grad.clone() for p in wanted if p.grad is not None]


def test_gated__one_adapter_at_gate_one_is_plain_lora_bit_for_bit(policy: PeftModel) -> None:
    plain = logits(policy)
    plain.square().mean().backward()
    plain_gradients = gradients(policy, "default")
    policy.zero_grad()
    with gated(policy, ["default"], torch.ones(3, 1)):
        routed = logits(policy)
        routed.square().mean().backward()
    assert torch.equal(routed, plain)
    assert plain_gradients
    for ours, theirs in zip(gradients(policy, "default"), plain_gradients, strict=True):
        assert torch.equal(ours, theirs)


def test_gated__fixed_mixture_is_peft_s_weighted_adapter(policy: PeftModel) -> None:
    weights = [0.5, 0.3, 0.2]
    with gated(policy, NAMES, torch.tensor([weights] * 3)):
        routed = logits(policy)
    policy.add_weighted_adapter(NAMES, weights, "mix", combination_type="cat")
    policy.set_adapter("mix")
    torch.testing.assert_close(routed, logits(policy), atol=1e-5, rtol=0)


def test_gated__hard_gates_select_one_adapter_a_row(policy: PeftModel) -> None:
    with gated(policy, NAMES, torch.eye(3)):
        routed = logits(policy)
    for row, name in enumerate(NAMES):
        policy.set_adapter(name)
        torch.testing.assert_close(routed[row], logits(policy)[row], atol=1e-5, rtol=0)


def test_gated__zero_gates_and_a_reference_pass_are_the_base(policy: PeftModel) -> None:
    with policy.disable_adapter():
        base = logits(policy)
    with gated(policy, NAMES, torch.eye(3)), policy.disable_adapter():
        assert torch.equal(logits(policy), base)
    with gated(policy, NAMES, torch.zeros(3, 3)):
        torch.testing.assert_close(logits(policy), base, atol=1e-6, rtol=0)


def test_gated__passes_gradients_to_gates_and_open_adapters(policy: PeftModel) -> None:
    for parameter in policy.parameters():
        parameter.requires_grad_(True)
    gates = torch.tensor([[1.0, 0.0, 0.0]] * 3, requires_grad=True)
    with gated(policy, NAMES, gates):
        logits(policy).square().mean().backward()
    assert gates.grad is not None
    assert gates.grad.abs().min() > 0
    # A closed adapter gets gradients of zero, not none: DDP waits for every parameter.
    assert any(g.abs().max() > 0 for g in gradients(policy, "default"))
    assert gradients(policy, "upper")
    assert all(g.abs().max() == 0 for g in gradients(policy, "upper"))


def test_gated__generation_uses_each_row_s_gates(policy: PeftModel) -> None:
    options = {"max_new_tokens": 5, "do_sample": False, "attention_mask": torch.ones_like(IDS)}
    with gated(policy, NAMES, torch.eye(3)):
        routed = policy.generate(input_ids=IDS, **options)
    policy.set_adapter("lower")
    assert torch.equal(routed[2], policy.generate(input_ids=IDS, **options)[2])


def test_gated__leaves_nothing_behind_after_an_error(policy: PeftModel) -> None:
    before, needing = logits(policy), {n: p.requires_grad for n, p in policy.named_parameters()}
    with pytest.raises(ZeroDivisionError), gated(policy, NAMES, torch.eye(3)):
        raise ZeroDivisionError
    assert torch.equal(logits(policy), before)
    assert policy.active_adapters == ["default"]
    assert {n: p.requires_grad for n, p in policy.named_parameters()} == needing


def test_gated__checkpointing_changes_no_gradient_unless_reentrant(policy: PeftModel) -> None:
    policy.train().enable_input_require_grads()
    gradients_of_gates = []
    for checkpointing in (False, True):
        if checkpointing:
            policy.gradient_checkpointing_enable({"use_reentrant": False})
        gates = torch.full((3, 3), 0.4, requires_grad=True)
        with gated(policy, NAMES, gates):
            logits(policy).square().mean().backward()
        gradients_of_gates.append(gates.grad)
    assert torch.equal(*gradients_of_gates)
    policy.gradient_checkpointing_enable({"use_reentrant": True})
    with pytest.raises(ValueError, match="reentrant"), gated(policy, NAMES, torch.eye(3)):
        pass


@pytest.mark.parametrize(
    ("names", "shape", "message"),
    [
        (["absent"], (3, 1), "no adapter 'absent' in the model; it has default, lower, upper"),
        (["default", "default"], (3, 2), "each once"),
        ([], (3, 0), "at least one"),
        (NAMES, (3, 2), r"need \(samples, 3\)"),
    ],
)
def test_gated__refuses_names_and_shapes_that_do_not_fit(
    policy: PeftModel, names: list[str], shape: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message), gated(policy, names, torch.ones(shape)):
        pass


def test_gated__refuses_a_batch_of_another_size(policy: PeftModel) -> None:
    with gated(policy, ["default"], torch.ones(1, 1)), pytest.raises(ValueError, match="gates of 1 samples"):
        logits(policy)


def test_gated__refuses_merged_adapters_and_dora(policy: PeftModel) -> None:
    policy.merge_adapter()
    with pytest.raises(ValueError, match="merged"), gated(policy, NAMES, torch.eye(3)):
        pass
    dora = get_peft_model(load_model("tiny", dtype=torch.float32), adapter(use_dora=True))
    with pytest.raises(ValueError, match="DoRA"), gated(dora, ["default"], torch.ones(1, 1)):
        pass


@pytest.mark.filterwarnings("ignore::UserWarning")  # of PEFT, about merging such adapters
def test_gated__refuses_layers_it_cannot_mix(policy: PeftModel) -> None:
    policy.add_adapter("wet", LoraConfig(r=2, target_modules="all-linear", lora_dropout=0.5))
    with pytest.raises(ValueError, match=r"dropouts \[0.0, 0.5\]"), gated(policy, ["default", "wet"], torch.ones(3, 2)):
        pass
    biased = LoraConfig(r=2, target_modules="all-linear", lora_bias=True, init_lora_weights=False)
    policy.add_adapter("biased", biased)
    with pytest.raises(ValueError, match="lora_bias=False"), gated(policy, ["biased"], torch.ones(3, 1)):
        pass
    words = get_peft_model(load_model("tiny", dtype=torch.float32), LoraConfig(r=2, target_modules=["embed_tokens"]))
    with pytest.raises(ValueError, match="no linear layer"), gated(words, ["default"], torch.ones(3, 1)):
        pass
