"""LoRA's targets: what matches no module, or the output layer, is refused before a trainer is built."""

import pytest

from rl.common.errors import UserError
from rl.config.model import AdapterConfig
from rl.models.load import load_model
from rl.models.lora import check_targets

MODEL = load_model("tiny")


@pytest.mark.parametrize("targets", ["all-linear", ("q_proj",), ("self_attn.q_proj", "v_proj"), r".*\.q_proj"])
def test_check_targets__takes_what_peft_takes(targets):
    check_targets(MODEL, AdapterConfig(target_modules=targets))


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        (("query",), r"\[query\] matches no module; the model has down_proj, .*q_proj"),
        ("proj", "=proj matches no module"),
        (("q_proj", "lm_head"), r"\[q_proj,lm_head\] names the output layer lm_head, which the loss reads without"),
    ],
)
def test_check_targets__refuses_by_name(targets, sentence):
    with pytest.raises(UserError, match=sentence):
        check_targets(MODEL, AdapterConfig(target_modules=targets))
