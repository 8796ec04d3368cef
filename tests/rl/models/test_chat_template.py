"""Chat template: the user's values reach whoever renders a prompt, because they stand in the template."""

import pytest

from rl.common.errors import UserError
from rl.config.model import ModelConfig
from rl.models.chat_template import bind_template
from rl.models.load import configured_tokenizer, load_tokenizer
from rl.models.tokenization import encode_prompt, prompt_spans, prompt_text
from tests.rl.thinking import HYBRID, save_thinking_model

CHAT = [{"role": "user", "content": "Describe the sea."}]
NO_THOUGHT = {"enable_thinking": False}


def test_configured_tokenizer__renders_every_prompt_with_the_values(tmp_path):
    name = save_thinking_model(tmp_path)
    free = load_tokenizer(name)
    bound = configured_tokenizer(ModelConfig(name=name, chat_template_kwargs=NO_THOUGHT))
    expected = free.apply_chat_template(CHAT, add_generation_prompt=True, tokenize=False, **NO_THOUGHT)
    assert str(expected).endswith("assistant\n<think>\n\n</think>\n\n")
    assert prompt_text(bound, CHAT) == expected
    ids = encode_prompt(bound, CHAT)
    assert ids == tuple(free(expected)["input_ids"])
    assert len(prompt_spans(bound, CHAT, ids)) == len(ids)


def test_bind_template__nothing_to_bind_changes_nothing(tmp_path):
    tokenizer = load_tokenizer("tiny")
    before = tokenizer.chat_template
    bind_template(tokenizer, {}, model="tiny")
    assert tokenizer.chat_template is before


@pytest.mark.parametrize("value", ["x' %} {{ 1 }} \n é", None, True, 1.5, {"a": ["b", None]}])
def test_bind_template__keeps_the_value_and_a_line_break_at_the_start(value):
    tokenizer = load_tokenizer("tiny")
    template = "\n{% macro shown() %}{{ mode | tojson }}{% endmacro %}{{ shown() }}"
    tokenizer.chat_template = template
    expected = tokenizer.apply_chat_template(CHAT, tokenize=False, mode=value)
    bind_template(tokenizer, {"mode": value}, model="tiny")
    assert str(expected).startswith("\n")
    assert tokenizer.apply_chat_template(CHAT, tokenize=False) == expected


@pytest.mark.parametrize("name", ["enable_thinkin", "messages", "add_generation_prompt"])
def test_bind_template__a_variable_that_the_template_does_not_read_is_refused(name):
    tokenizer = load_tokenizer("tiny")
    tokenizer.chat_template = HYBRID
    with pytest.raises(UserError, match=rf"chat_template_kwargs\.{name}: the chat template of tiny reads no such"):
        bind_template(tokenizer, {name: False}, model="tiny")


def test_bind_template__a_base_model_has_no_template_to_bind_in():
    tokenizer = load_tokenizer("tiny")
    tokenizer.chat_template = None
    with pytest.raises(UserError, match="has no chat template"):
        bind_template(tokenizer, NO_THOUGHT, model="tiny")
