"""Answers: what is judged of a completion whose thought the model or its template has opened."""

import pytest
from tokenizers import AddedToken

from data.reasoning import ReasoningTags
from rl.common.errors import UserError
from rl.config.model import ModelConfig, ReasoningConfig
from rl.models.answers import (
    answer_text,
    answer_tokens,
    reasoning_tags,
    set_reasoning,
    split_answer,
    written_completion,
)
from rl.models.load import configured_tokenizer, load_tokenizer
from rl.models.tokenization import decode, encode_prompt
from tests.rl.thinking import HYBRID, OPENING, thinking_tokenizer

TAGS = ReasoningTags(start="<think>", end="</think>")
CHAT = [{"role": "user", "content": "Describe the sea."}]


def tokenizer_with(template: str):
    tokenizer = load_tokenizer("tiny")
    tokenizer.chat_template = template
    set_reasoning(tokenizer, TAGS)
    return tokenizer


def encode(tokenizer, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize(
    ("template", "completion", "answer"),
    [
        (HYBRID, "<think>\nGreen?\n</think>\n\nBlue.<|im_end|>", "Blue."),
        (HYBRID, "Blue.<|im_end|>", "Blue."),
        (HYBRID, "<think>Green?<|im_end|>", ""),
        (OPENING, "Green?\n</think>\n\nBlue.<|im_end|>", "Blue."),
        (OPENING, "<think>Green?</think>Blue.", "Blue."),
        (OPENING, "Blue.<|im_end|>", ""),
    ],
)
def test_answer_text__knows_whether_the_template_opened_the_thought(template, completion, answer):
    tokenizer = tokenizer_with(template)
    prompt, ids = encode_prompt(tokenizer, CHAT), encode(tokenizer, completion)
    assert answer_text(tokenizer, prompt, ids) == answer
    split = split_answer(tokenizer, prompt, ids)
    assert split.before + split.answer == decode(tokenizer, ids)
    marked = [token for token, is_answer in zip(ids, answer_tokens(tokenizer, prompt, ids), strict=True) if is_answer]
    assert decode(tokenizer, marked).strip() == answer
    ends = completion.endswith("<|im_end|>") and bool(answer)
    assert (tokenizer.eos_token_id in marked) == ends, "the end belongs to the answer, and to none without one"


def test_answer_text__a_prompt_that_speaks_of_the_tag_opens_nothing():
    tokenizer = tokenizer_with(HYBRID)
    prompt = encode_prompt(tokenizer, [{"role": "user", "content": "What does this mean: <think>"}])
    assert answer_text(tokenizer, prompt, encode(tokenizer, "Blue.")) == "Blue."


def test_answer_text__tags_come_before_a_response_template():
    tokenizer = thinking_tokenizer()
    set_reasoning(tokenizer, ReasoningTags(start="<a>", end="</a>"))
    assert answer_text(tokenizer, [5], encode(tokenizer, "<a>x</a><think>y</think>z")) == "<think>y</think>z"


def test_written_completion__holds_the_tag_that_the_template_wrote():
    tokenizer = tokenizer_with(OPENING)
    prompt = encode_prompt(tokenizer, CHAT)
    assert written_completion(tokenizer, prompt, encode(tokenizer, "x</think>y")) == "<think>x</think>y"
    assert written_completion(tokenizer, prompt, encode(tokenizer, "<think>x</think>y")) == "<think>x</think>y"


def test_set_reasoning__a_special_token_is_in_no_text_and_refused():
    tokenizer = load_tokenizer("tiny")
    tokenizer.add_tokens([AddedToken("<think>", special=True)])
    with pytest.raises(UserError, match="'<think>' is a special token"):
        set_reasoning(tokenizer, TAGS)


def test_configured_tokenizer__finds_tags_in_the_template_or_says_how_to_give_them(monkeypatch):
    assert reasoning_tags(configured_tokenizer(ModelConfig(name="tiny"))) is None
    given = ReasoningConfig(start="<a>", end="</a>")
    tokenizer = configured_tokenizer(ModelConfig(name="tiny", reasoning=given))
    assert reasoning_tags(tokenizer) == ReasoningTags(start="<a>", end="</a>")
    with pytest.raises(UserError, match=r"model\.reasoning=auto: .* names no tags"):
        configured_tokenizer(ModelConfig(name="tiny", reasoning="auto"))
    monkeypatch.setattr("rl.models.tiny.CHAT_TEMPLATE", HYBRID)
    assert reasoning_tags(configured_tokenizer(ModelConfig(name="tiny", reasoning="auto"))) == TAGS
