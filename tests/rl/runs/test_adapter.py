"""Trained adapter: it replaces an older one as a whole, and its card claims what was measured."""

import json

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from rl.config.data import DataConfig
from rl.config.model import ModelConfig
from rl.config.root import Config
from rl.models.load import load_model
from rl.runs.adapter import held_out_sentence, model_card, save_adapter

GAIN = {"mean": 0.25, "low": 0.125, "high": 0.375, "num_problems": 64}
SUMMARY = {"before": {"pass_rate": 0.25}, "after": {"pass_rate": 0.5}, "gain": GAIN}


def make_policy() -> PeftModel:
    return get_peft_model(load_model("tiny"), LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False))


def test_held_out_sentence__has_pass_rates_and_interval():
    assert held_out_sentence(SUMMARY) == (
        "0.250 -> 0.500 of the constraints satisfied on 64 held-out problems; "
        "gain +0.250, 95 % interval [+0.125, +0.375] (paired bootstrap)."
    )


def test_held_out_sentence__claims_nothing_without_evaluation():
    assert held_out_sentence({}) == "Not evaluated."


def test_model_card__says_that_the_built_in_weights_are_widened():
    assert "4-bit values" in model_card(Config(), SUMMARY)
    assert "4-bit" not in model_card(Config(model=ModelConfig(name="tiny")), SUMMARY)


def test_model_card__names_custom_data_and_claims_nothing_about_them():
    card = model_card(Config(data=DataConfig(path="rows.jsonl")), SUMMARY)
    assert "**Data.** rows.jsonl." in card
    assert "share no base instruction" not in card
    assert "share no base instruction" in model_card(Config(), SUMMARY)


def test_save_adapter__writes_pefts_layout(tmp_path):
    policy = make_policy()
    adapter = save_adapter(policy, tmp_path, Config(model=ModelConfig(name="tiny")), SUMMARY)
    assert adapter == tmp_path / "adapters" / "default"
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == "tiny"
    reloaded = PeftModel.from_pretrained(load_model("tiny"), str(adapter))
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(reloaded(input_ids=ids).logits, policy.eval()(input_ids=ids).logits)


def test_save_adapter__replaces_an_older_one_as_a_whole(tmp_path):
    adapter = save_adapter(make_policy(), tmp_path, Config(), SUMMARY)
    (adapter / "left_over.txt").write_text("")
    first = (adapter / "adapter_model.safetensors").read_bytes()
    save_adapter(make_policy(), tmp_path, Config(), SUMMARY)
    assert not (adapter / "left_over.txt").exists()
    assert (adapter / "adapter_model.safetensors").read_bytes() != first
    assert [path.name for path in adapter.parent.iterdir()] == ["default"]


def test_save_adapter__leaves_out_files_of_an_earlier_kill(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getpid", lambda: 1234)
    unfinished = tmp_path / "adapters" / ".default.1234.tmp"
    unfinished.mkdir(parents=True)
    (unfinished / "half.txt").write_text("")
    adapter = save_adapter(make_policy(), tmp_path, Config(), SUMMARY)
    assert not (adapter / "half.txt").exists()


@pytest.mark.parametrize("rule", ["uniform", "random"])
def test_model_card__names_the_credit_rule(rule):
    assert f"credit rule `{rule}`" in model_card(Config.model_validate({"credit": {"rule": rule}}), {})


def test_model_card__says_how_a_thinking_model_was_prompted_and_judged():
    model = ModelConfig(name="tiny", chat_template_kwargs={"enable_thinking": True}, reasoning="auto")
    card = model_card(Config(model=model), SUMMARY)
    assert '`chat_template_kwargs` {"enable_thinking": true}; serve the adapter with the same.' in card
    assert "not the thought" in card
    assert "Thoughts" not in model_card(Config(model=ModelConfig(name="tiny")), SUMMARY)
