"""Shapes: parameters add up to what the makers state and the model has."""

import json
from importlib.resources import files

import pytest

from launch.plan.shape import config_of, model_folder, num_trainable, parse_shape, shape_of
from rl.config.model import AdapterConfig
from rl.models.builtin import BUILTIN
from rl.models.tiny_shape import TINY_SHAPE

QWEN = "Qwen/Qwen2.5-7B-Instruct"


def test_num_parameters__are_what_the_makers_state():
    # 28 layers of 233,057,792, two embeddings of 152,064 x 3,584, one norm of 3,584
    assert shape_of(QWEN).num_parameters == 7_615_616_512
    # 28 layers of 46,797,824, one embedding of 151,936 x 1,536, one norm of 1,536
    assert shape_of("Qwen/Qwen2.5-1.5B-Instruct").num_parameters == 1_543_714_304
    # 24 layers of 14,912,384, one embedding of 151,936 x 896, one norm of 896
    assert shape_of("Qwen/Qwen2.5-0.5B").num_parameters == 494_032_768
    # 16 layers of 60,821,504, one embedding of 128,256 x 2,048, one norm of 2,048
    assert shape_of("meta-llama/Llama-3.2-1B").num_parameters == 1_235_814_400
    # 32 layers of 218,112,000, two embeddings of 128,256 x 4,096, one norm of 4,096
    assert shape_of("meta-llama/Llama-3.1-8B-Instruct").num_parameters == 8_030_261_248
    # 30 layers of 3,540,096, one embedding of 49,152 x 576, one norm of 576
    assert parse_shape(BUILTIN, config_of(BUILTIN)).num_parameters == 134_515_008


def test_shape_of__the_shipped_shape_of_the_built_in_model(smollm2_path):
    assert model_folder(BUILTIN) == smollm2_path
    shipped = json.loads(files("launch.plan").joinpath("shapes", f"{BUILTIN}.json").read_text())
    assert shape_of(BUILTIN) == parse_shape("shipped", shipped)


def test_num_trainable__is_pefts_count():
    from rl.models.lora import lora_config
    from rl.models.tiny import tiny_model

    peft = pytest.importorskip("peft")
    for lora in (AdapterConfig(), AdapterConfig(r=4, target_modules=("q_proj", "down_proj"), layers=(1,))):
        model = peft.get_peft_model(tiny_model(), lora_config(lora))
        assert num_trainable(lora, shape_of("tiny"), (lora.r,)) == model.get_nb_trainable_parameters()[0]


def test_num_parameters__are_torchs_count():
    from rl.models.tiny import tiny_model

    assert shape_of("tiny").num_parameters == sum(parameter.numel() for parameter in tiny_model().parameters())


def test_shape_of__a_folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({**TINY_SHAPE, "tie_word_embeddings": False}))
    # a second embedding of 512 x 64
    assert shape_of(str(tmp_path)).num_parameters == shape_of("tiny").num_parameters + 32_768


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hidden_size": None}, "its config has no hidden_size"),
        ({"num_local_experts": 8}, r"it has experts \(num_local_experts\)"),
    ],
)
def test_parse_shape__refuses_another_kind_of_model(changes, reason):
    config = {key: value for key, value in {**TINY_SHAPE, **changes}.items() if value is not None}
    with pytest.raises(ValueError, match=f"model odd cannot be planned: {reason}"):
        parse_shape("odd", config)


def test_shape_of__an_unknown_model(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"nobody/nothing cannot be planned: its config\.json is neither in a folder"):
        shape_of("nobody/nothing")


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        (AdapterConfig(target_modules=("q_prj",)), r"the model has no q_prj; it has q_proj, k_proj"),
        (AdapterConfig(target_modules=("q_proj",), layers=(2,)), r"\[2\] do not exist; the model has layers 0 to 1"),
    ],
)
def test_num_trainable__refuses_missing_modules_and_layers(lora, message):
    with pytest.raises(ValueError, match=message):
        num_trainable(lora, shape_of("tiny"), (lora.r,))
