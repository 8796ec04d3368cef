"""Shapes: parameters add up to what the makers and the model itself say."""

import json
from importlib.resources import files

import pytest

from launch.plan.memory import num_trainable
from launch.plan.shape import config_of, model_folder, parse_shape, shape_of
from rl.config.model import AdapterConfig
from rl.models.builtin import BUILTIN
from rl.models.tiny_shape import TINY_SHAPE

QWEN = "Qwen/Qwen2.5-7B-Instruct"


def test_a_shape_counts_the_parameters_its_makers_state():
    # 28 layers of 233,057,792, two embeddings of 152,064 x 3,584, one norm of 3,584
    assert shape_of(QWEN).num_parameters == 7_615_616_512
    # 30 layers of 3,540,096, one embedding of 49,152 x 576, one norm of 576
    assert parse_shape(BUILTIN, config_of(BUILTIN)).num_parameters == 134_515_008


def test_the_kept_shape_of_the_built_in_model_is_its_own(smollm2_path):
    assert model_folder(BUILTIN) == smollm2_path
    kept = json.loads(files("launch.plan").joinpath("shapes", f"{BUILTIN}.json").read_text())
    assert shape_of(BUILTIN) == parse_shape("kept", kept)


def test_an_adapter_has_the_parameters_that_peft_gives_it():
    from rl.models.lora import lora_config
    from rl.models.tiny import tiny_model

    peft = pytest.importorskip("peft")
    for lora in (AdapterConfig(), AdapterConfig(r=4, target_modules=("q_proj", "down_proj"), layers=(1,))):
        model = peft.get_peft_model(tiny_model(), lora_config(lora))
        assert num_trainable(lora, shape_of("tiny")) == model.get_nb_trainable_parameters()[0]


def test_the_base_has_the_parameters_that_torch_counts():
    from rl.models.tiny import tiny_model

    assert shape_of("tiny").num_parameters == sum(parameter.numel() for parameter in tiny_model().parameters())


def test_a_folder_is_read(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({**TINY_SHAPE, "tie_word_embeddings": False}))
    # a second embedding of 512 x 64
    assert shape_of(str(tmp_path)).num_parameters == shape_of("tiny").num_parameters + 32_768


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hidden_size": None}, "its config has no hidden_size"),
        ({"num_local_experts": 8}, r"it has experts \(num_local_experts\)"),
    ],
)
def test_another_kind_of_model_is_refused(changes, told):
    config = {key: value for key, value in {**TINY_SHAPE, **changes}.items() if value is not None}
    with pytest.raises(ValueError, match=f"model odd cannot be planned: {told}"):
        parse_shape("odd", config)


def test_an_unknown_model_says_where_it_was_looked_for(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"nobody/nothing cannot be planned: its config\.json is neither in a folder"):
        shape_of("nobody/nothing")


@pytest.mark.parametrize(
    ("lora", "told"),
    [
        (AdapterConfig(target_modules=("q_prj",)), r"the model has no q_prj; it has q_proj, k_proj"),
        (AdapterConfig(target_modules=("q_proj",), layers=(2,)), r"\[2\] do not exist; the model has layers 0 to 1"),
    ],
)
def test_modules_and_layers_that_are_not_there(lora, told):
    with pytest.raises(ValueError, match=told):
        num_trainable(lora, shape_of("tiny"))
