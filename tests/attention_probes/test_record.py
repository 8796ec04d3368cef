"""Recording: readings equal materialised attention, and the model computes what it would have without."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GptOssConfig, PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from attention_probes.heads import HeadRoles
from attention_probes.record import ProbePlan, Readings, record_attention
from tests import reference
from tests.attention_probes.tiny_decoders import CONFIGS, SHAPE, attention_maps, padded_batch, tiny_model

LAYERS = (1, 2)
ROLES = HeadRoles(local_heads=((1, 0), (1, 3), (2, 1)), global_heads=((2, 1), (2, 2)))


@st.composite
def batches(draw: st.DrawFn) -> dict[str, Tensor]:
    """One or two rows, each with at least one real token; longer than one block of queries now and then."""
    length = draw(st.integers(1, 90))
    left = [draw(st.integers(0, length - 1)) for _ in range(draw(st.integers(1, 2)))]
    return padded_batch(length, [(pad, draw(st.integers(0, length - 1 - pad))) for pad in left], seed=length)


def record(model: nn.Module, batch: dict[str, Tensor], plan: ProbePlan | None = None, **kwargs) -> Readings:
    with torch.no_grad(), record_attention(model, plan, **kwargs) as recorder:
        model(**batch)
    return recorder.read()


def expected(maps: Tensor, batch: dict[str, Tensor], plan: ProbePlan) -> tuple[Tensor, Tensor]:
    """WAAD of the mean of the local heads' maps and FAI of the global heads'; maps are (L, B, H, S, S)."""
    all_heads = [(layer, head) for layer in LAYERS for head in range(maps.shape[2])]
    roles = plan.roles or HeadRoles(local_heads=tuple(all_heads), global_heads=tuple(all_heads))
    local_map, global_map = (
        torch.stack([maps[LAYERS.index(layer), :, head] for layer, head in heads]).mean(dim=0)
        for heads in (roles.local_heads, roles.global_heads)
    )
    real = (batch["attention_mask"] == 1).tolist()
    waad = [reference.waad(A, row, plan.window) for A, row in zip(local_map.tolist(), real, strict=True)]
    fai = [reference.fai(A, row, plan.horizon) for A, row in zip(global_map.tolist(), real, strict=True)]
    return torch.tensor(waad), torch.tensor(fai)


@pytest.mark.parametrize("family", CONFIGS)
@given(batches(), st.integers(1, 12), st.integers(0, 6), st.integers(0, 40), st.sampled_from([None, ROLES]))
@settings(max_examples=6)
def test_readings__equal_eager_attention(family, batch, window, nearest, more, roles):
    plan = ProbePlan(layers=LAYERS, window=window, horizon=(nearest, nearest + more), roles=roles)
    model = tiny_model(family)
    waad, fai = expected(attention_maps(model, batch, LAYERS), batch, plan)
    readings = record(model, batch, plan)
    torch.testing.assert_close(readings.waad, waad, atol=1e-5 * window, rtol=0)
    torch.testing.assert_close(readings.fai, fai, atol=1e-5, rtol=0)
    assert torch.equal(readings.real, batch["attention_mask"] == 1)


@pytest.mark.parametrize("family", CONFIGS)
def test_readings__are_close_in_bfloat16(family):
    batch = padded_batch(80, [(9, 0), (0, 12)])
    model = tiny_model(family, torch.bfloat16)
    plan = ProbePlan(layers=LAYERS)
    waad, fai = expected(attention_maps(model, batch, LAYERS), batch, plan)
    readings = record(model, batch, plan)
    torch.testing.assert_close(readings.waad / plan.window, waad / plan.window, atol=2e-2, rtol=0)
    torch.testing.assert_close(readings.fai, fai, atol=2e-2, rtol=0)


@pytest.mark.parametrize("family", CONFIGS)
def test_readings__are_the_same_for_an_eager_model(family):
    batch = padded_batch(70, [(5, 3), (0, 0)])
    model = copy.deepcopy(tiny_model(family))
    fused = record(model, batch)
    model.set_attn_implementation("eager")
    eager = record(model, batch)
    torch.testing.assert_close(eager.waad, fused.waad, atol=1e-5 * 10, rtol=0)
    torch.testing.assert_close(eager.fai, fused.fai, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", ["llama", "gemma2, window 12, softcap"])
@given(batch=batches())
@settings(max_examples=6)
def test_head_readings__equal_eager_attention(family, batch):
    model, plan = tiny_model(family), ProbePlan(layers=LAYERS, per_head=True, boundary_window=3)
    maps = attention_maps(model, batch, LAYERS)
    readings = record(model, batch, plan)
    assert readings.heads is not None and readings.boundaries is not None
    num_rows, num_heads = maps.shape[1:3]
    for row in range(num_rows):
        real = (batch["attention_mask"][row] == 1).tolist()
        for index, head in [(layer, head) for layer in range(len(LAYERS)) for head in range(num_heads)]:
            A = maps[index, row, head].tolist()
            want = reference.row_statistics(A, real)
            want |= {"waad": reference.waad(A, real, plan.window), "fai": reference.fai(A, real, plan.horizon)}
            for name, values in want.items():
                got = getattr(readings.heads, name)[index, row, head]
                torch.testing.assert_close(got, torch.tensor(values), atol=1e-5 * len(real), rtol=0, msg=name)
        masses = reference.boundary_masses(maps[:, row].mean(dim=(0, 1)).tolist(), real, 3)
        for got, values in zip(readings.boundaries, masses, strict=True):
            assert got[row].tolist() == pytest.approx(values, abs=1e-5 * len(real))


def test_top_key__is_the_argmax():
    batch, model = padded_batch(70, [(4, 6), (0, 0)]), tiny_model("llama")
    readings = record(model, batch, ProbePlan(layers=LAYERS, per_head=True))
    assert readings.heads is not None
    top = attention_maps(model, batch, LAYERS).argmax(dim=-1)
    assert torch.equal(readings.heads.top_key, top)


def test_span_mass__is_the_sum_over_the_span_for_each_role():
    batch, model = padded_batch(70, [(4, 6), (0, 0)]), tiny_model("llama")
    spans = torch.zeros(2, 3, 70, dtype=torch.bool)
    spans[:, 0, 5:9] = spans[:, 1, 7:30] = True  # overlapping; the third is empty
    readings = record(model, batch, ProbePlan(layers=LAYERS, roles=ROLES), spans=spans)
    maps = attention_maps(model, batch, LAYERS)
    of_head = torch.einsum("lbhts,bcs->lbhtc", maps, spans.float())
    assert readings.span_mass is not None
    all_heads, local_heads, global_heads = readings.span_mass.unbind(dim=2)
    torch.testing.assert_close(all_heads, of_head.mean(dim=2), atol=1e-5, rtol=0)
    torch.testing.assert_close(local_heads[0], of_head[0][:, [0, 3]].mean(dim=1), atol=1e-5, rtol=0)
    torch.testing.assert_close(global_heads[1], of_head[1][:, [1, 2]].mean(dim=1), atol=1e-5, rtol=0)
    assert global_heads[0][batch["attention_mask"] == 1].isnan().all()  # layer 1 has no global head


def gradients(model: nn.Module, batch: dict[str, Tensor], *, recording: bool) -> list[Tensor]:
    """Logits, loss and every gradient of one training step, dropout included."""
    model.zero_grad(set_to_none=True)
    torch.manual_seed(7)
    if recording:
        with record_attention(model, ProbePlan(layers=LAYERS, per_head=True)) as recorder:
            output = model(**batch, labels=batch["input_ids"])
            output.loss.backward()
        recorder.read()
    else:
        output = model(**batch, labels=batch["input_ids"])
        output.loss.backward()
    grads = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return [output.logits, output.loss, *grads]


def with_lora(model: PreTrainedModel) -> nn.Module:
    return get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], lora_dropout=0.1))


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("padding", [[(0, 0), (0, 0)], [(5, 4), (0, 9)]])
def test_recording__leaves_training_bit_identical(family, padding):
    model, batch = copy.deepcopy(tiny_model(family)).train(), padded_batch(70, padding)
    plain, recorded = (gradients(model, batch, recording=recording) for recording in (False, True))
    assert len(plain) == len(recorded) > 3
    assert all(torch.equal(before, after) for before, after in zip(plain, recorded, strict=True))


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_recording__leaves_checkpointed_lora_training_bit_identical(use_reentrant):
    model = with_lora(copy.deepcopy(tiny_model("llama"))).train()
    model.enable_input_require_grads()
    model.get_base_model().activation_checkpointing_enable({"use_reentrant": use_reentrant})
    batch = padded_batch(70, [(5, 4), (0, 9)])
    plain, recorded = (gradients(model, batch, recording=recording) for recording in (False, True))
    assert len(plain) == len(recorded) > 3
    assert all(torch.equal(before, after) for before, after in zip(plain, recorded, strict=True))


def test_readings__stay_float32_under_autocast():
    batch, model = padded_batch(70, [(5, 4), (0, 9)]), tiny_model("llama")
    plain = record(model, batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = record(model, batch)
    assert low.waad.dtype == torch.float32
    torch.testing.assert_close(low.fai, plain.fai, atol=2e-2, rtol=0)


def test_recorder__reads_the_first_pass_until_cleared():
    model = tiny_model("llama")
    first, second = padded_batch(40, [(0, 0)], seed=1), padded_batch(40, [(0, 0)], seed=2)
    with torch.no_grad(), record_attention(model) as recorder:
        model(**first)
        model(**second)
        assert torch.equal(recorder.read().fai, record(model, first).fai)
        recorder.clear()
        model(**second)
    assert torch.equal(recorder.read().fai, record(model, second).fai)


def test_recorder__ignores_other_models():
    model, other = tiny_model("llama"), tiny_model("qwen3")
    batch = padded_batch(30, [(0, 0)])
    with torch.no_grad(), record_attention(model) as recorder:
        other(**batch)
        model(**batch)
    assert torch.equal(recorder.read().fai, record(model, batch).fai)


def test_record_attention__puts_everything_back_after_an_error():
    before = dict(ALL_ATTENTION_FUNCTIONS)
    with pytest.raises(KeyError), record_attention(tiny_model("llama")), record_attention(tiny_model("qwen3")):
        raise KeyError
    assert dict(ALL_ATTENTION_FUNCTIONS) == before


def test_recorder__without_a_forward_pass_says_so():
    with record_attention(tiny_model("llama")) as recorder:
        pass
    with pytest.raises(RuntimeError, match=r"no attention was recorded in layers \[1, 2\]"):
        recorder.read()


def test_record_attention__refuses_a_pass_that_continues_a_cache():
    model, batch = tiny_model("llama"), padded_batch(12, [(0, 0)])
    with torch.no_grad():
        past = model(**batch, use_cache=True).past_key_values
        with pytest.raises(ValueError, match="1 queries for 13 keys"), record_attention(model):
            model(input_ids=batch["input_ids"][:, :1], past_key_values=past)


def test_record_attention__refuses_sink_logits():
    shape = {"num_local_experts": 2, "num_experts_per_tok": 1, "num_hidden_layers": 2, "sliding_window": 8}
    config = GptOssConfig(**SHAPE | shape)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with pytest.raises(ValueError, match="s_aux"):
        record(model, padded_batch(12, [(0, 0)]))


def test_record_attention__refuses_attention_that_is_not_causal():
    model = copy.deepcopy(tiny_model("llama"))
    model.model.layers[1].self_attn.is_causal = False
    with pytest.raises(ValueError, match="not causal"):
        record(model, padded_batch(12, [(0, 0)]))


def test_record_attention__refuses_other_attention_implementations():
    model = copy.deepcopy(tiny_model("llama"))
    model.set_attn_implementation("flex_attention")
    with pytest.raises(ValueError, match="flex_attention"), record_attention(model):
        pass


def test_record_attention__refuses_a_compiled_model():
    model = copy.deepcopy(tiny_model("llama"))
    with pytest.raises(ValueError, match="compiled"), record_attention(torch.compile(model, backend="eager")):
        pass
    model.compile(backend="eager")
    with pytest.raises(ValueError, match="compiled"), record_attention(model):
        pass


@pytest.mark.slow
def test_record_attention__reads_inside_a_function_compiled_around_the_model():
    batch, model = padded_batch(30, [(3, 2)]), tiny_model("llama")
    compiled = torch.compile(lambda ids, mask: model(input_ids=ids, attention_mask=mask).logits, backend="eager")
    with torch.no_grad(), record_attention(model, ProbePlan(layers=LAYERS)) as recorder:
        logits = compiled(batch["input_ids"], batch["attention_mask"])
    assert torch.equal(recorder.read().fai, record(model, batch, ProbePlan(layers=LAYERS)).fai)
    assert torch.equal(logits, model(**batch).logits)


def test_record_attention__refuses_packed_texts():
    model, batch = tiny_model("llama"), padded_batch(12, [(0, 0)])
    positions = torch.tensor([[0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]])
    with pytest.raises(ValueError, match="padded and not packed"):
        record(model, {"input_ids": batch["input_ids"], "position_ids": positions})


def test_record_attention__accepts_positions_that_start_behind_the_padding():
    model, batch = tiny_model("llama"), padded_batch(30, [(6, 4)])
    positions = (batch["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
    positioned = record(model, {**batch, "position_ids": positions})
    torch.testing.assert_close(positioned.fai, record(model, batch).fai, atol=1e-5, rtol=0)


def test_record_attention__refuses_roles_of_another_model():
    roles = HeadRoles(local_heads=((1, 0),), global_heads=((1, 8),))
    with pytest.raises(ValueError, match="heads 0 to 3"), record_attention(tiny_model("llama"), ProbePlan(roles=roles)):
        pass


def test_record_attention__refuses_models_not_of_transformers():
    with pytest.raises(ValueError, match="Linear holds none"), record_attention(nn.Linear(2, 2)):
        pass


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("padding", [[(0, 0), (0, 0)], [(9, 0), (0, 12)]])
@pytest.mark.parametrize("training", [False, True])
def test_readings__of_cuda_kernels_equal_eager_attention(padding, training):
    # Without a mask the flash kernel runs; with one the efficient kernel, which is asked for its log-sum-exp.
    model = copy.deepcopy(tiny_model("llama", torch.bfloat16)).cuda().train(training)
    batch = {name: values.cuda() for name, values in padded_batch(80, padding).items()}
    plan = ProbePlan(layers=LAYERS)
    with torch.set_grad_enabled(training), record_attention(model, plan) as recorder:
        model(**batch)
    waad, fai = expected(attention_maps(model, batch, LAYERS), batch, plan)
    torch.testing.assert_close(recorder.read().waad.cpu() / plan.window, waad / plan.window, atol=2e-2, rtol=0)
    torch.testing.assert_close(recorder.read().fai.cpu(), fai, atol=2e-2, rtol=0)


@pytest.mark.gpu
@pytest.mark.parametrize("padding", [[(0, 0), (0, 0)], [(9, 0), (0, 12)]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_recording__leaves_cuda_logits_bit_identical(padding, dtype):
    # Not the gradients: the kernels' own backward pass is not deterministic there.
    model = copy.deepcopy(tiny_model("llama", dtype)).cuda()
    batch = {name: values.cuda() for name, values in padded_batch(80, padding).items()}
    plan, spans = ProbePlan(layers=LAYERS, per_head=True, boundary_window=3), torch.ones(2, 1, 80, dtype=torch.bool)
    with torch.no_grad():
        plain = model(**batch).logits
        with record_attention(model, plan, spans=spans.cuda()) as recorder:
            recorded = model(**batch).logits
    assert torch.equal(plain, recorded)
    on_everything = recorder.read().span_mass[..., 0].cpu()
    real = (batch["attention_mask"] == 1).cpu()[:, None].float().expand(on_everything.shape)
    torch.testing.assert_close(on_everything, real, atol=2e-2, rtol=0)


@pytest.mark.slow
def test_readings__of_the_real_model_equal_its_eager_maps(smollm2_path):
    model = AutoModelForCausalLM.from_pretrained(smollm2_path, dtype=torch.float32).eval()
    batch = padded_batch(120, [(11, 0), (0, 17)])
    plan = ProbePlan(horizon=(3, 40))
    readings = record(model, batch, plan)
    mean_map = attention_maps(model, batch, readings.layers).mean(dim=(0, 2))
    for row in range(2):
        real = (batch["attention_mask"][row] == 1).tolist()
        waad = torch.tensor(reference.waad(mean_map[row].tolist(), real, plan.window))
        torch.testing.assert_close(readings.waad[row], waad, atol=1e-4, rtol=0)
        fai = torch.tensor(reference.fai(mean_map[row].tolist(), real, plan.horizon))
        torch.testing.assert_close(readings.fai[row], fai, atol=1e-5, rtol=0)
