"""Tokenization: spans of tokens in completions and prompts, and padding."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from rl.models.answers import answer_text
from rl.models.load import load_tokenizer
from rl.models.tokenization import (
    completion_spans,
    encode_prompt,
    pad_right,
    prompt_spans,
    tokens_overlapping,
)
from tests.rl.thinking import thinking_tokenizer

TOKENIZER = load_tokenizer("tiny")
SPECIAL = sorted(TOKENIZER.all_special_ids)
# Random ids rarely spell one valid character after another, so half of the sequences encode real text.
ids_of_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12).map(
    lambda text: TOKENIZER(text, add_special_tokens=False)["input_ids"]
)
any_ids = st.lists(st.integers(0, len(TOKENIZER) - 1), max_size=24) | ids_of_text


def encode(text: str) -> list[int]:
    return TOKENIZER(text, add_special_tokens=False)["input_ids"]


def decoded(ids: list[int]) -> str:
    return TOKENIZER.decode(ids, skip_special_tokens=True)


@given(any_ids)
def test_completion_spans__cover_the_decoded_text_in_order(ids):
    spans = completion_spans(TOKENIZER, ids)
    assert len(spans) == len(ids)
    reached = 0
    for start, end in (span for token, span in zip(ids, spans, strict=True) if token not in SPECIAL):
        assert start <= reached <= end, "no gap, and no step back"
        reached = end
    assert reached == len(decoded(ids))


@given(any_ids)
def test_completion_spans__special_tokens_have_empty_ones(ids):
    spans = completion_spans(TOKENIZER, ids)
    assert all(start == end for token, (start, end) in zip(ids, spans, strict=True) if token in SPECIAL)


@given(ids_of_text)
def test_completion_spans__a_prefix_that_ends_with_a_complete_character_has_the_same(ids):
    spans = completion_spans(TOKENIZER, ids)
    for cut in range(len(ids)):
        if decoded(ids).startswith(decoded(ids[:cut])):
            assert completion_spans(TOKENIZER, ids[:cut]) == spans[:cut]


def test_completion_spans__of_plain_words():
    text = "Write about the rain."
    ids = encode(text)
    spans = completion_spans(TOKENIZER, ids)
    assert [text[start:end] for start, end in spans] == [TOKENIZER.decode([token]) for token in ids]


def test_completion_spans__an_emoji_belongs_to_each_of_its_tokens():
    ids = encode("a😀b")
    # no merge of this tokenizer touches the emoji's four bytes
    assert len(ids) == 6
    assert completion_spans(TOKENIZER, ids) == [(0, 1), (1, 2), (1, 2), (1, 2), (1, 2), (2, 3)]


def test_completion_spans__an_unfinished_character_at_the_end_is_one_replacement():
    # a cut completion: two of the emoji's four bytes; the text shows U+FFFD, which both wrote
    ids = encode("a😀")[:3]
    assert decoded(ids) == "a\ufffd"
    assert completion_spans(TOKENIZER, ids) == [(0, 1), (1, 2), (1, 2)]


def test_completion_spans__the_end_of_text_has_an_empty_one():
    ids = [*encode("rain"), TOKENIZER.eos_token_id]
    assert completion_spans(TOKENIZER, ids)[-1] == (4, 4)


def test_completion_spans__a_special_token_inside_a_character_has_an_empty_one():
    first, second, third, fourth = encode("😀")
    spans = completion_spans(TOKENIZER, [first, second, TOKENIZER.eos_token_id, third, fourth])
    assert [end - start for start, end in spans] == [1, 1, 0, 1, 1]


def test_completion_spans__of_an_empty_completion():
    assert completion_spans(TOKENIZER, []) == []


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ([], [False, False, False]),
        ([(0, 1)], [True, False, False]),
        ([(1, 3)], [True, True, False]),
        ([(2, 2)], [False, False, False]),
        ([(0, 5)], [True, True, False]),
    ],
)
def test_tokens_overlapping__a_token_of_a_marked_character_is_marked(marked, expected):
    # tokens of two, three and no characters
    assert tokens_overlapping([(0, 2), (2, 5), (5, 5)], marked) == expected


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).filter(str.strip))
def test_prompt_spans__cover_every_character_of_the_user_message(text):
    messages = [{"role": "system", "content": text}, {"role": "user", "content": text}]
    ids = encode_prompt(TOKENIZER, messages)
    spans = prompt_spans(TOKENIZER, messages, ids)
    assert len(spans) == len(ids)
    covered = {place for start, end in spans for place in range(start, end)}
    assert set(range(len(text))) <= covered


def test_prompt_spans__of_a_rule_in_the_last_user_message():
    messages = [{"role": "user", "content": "Use no commas. Use no commas."}]
    ids = encode_prompt(TOKENIZER, messages)
    marked = tokens_overlapping(prompt_spans(TOKENIZER, messages, ids), [(15, 29)])
    assert (
        TOKENIZER.decode([token for token, mark in zip(ids, marked, strict=True) if mark]).strip() == "Use no commas."
    )


def test_prompt_spans__a_prompt_of_other_tokens_is_refused():
    messages = [{"role": "user", "content": "Use no commas."}]
    with pytest.raises(ValueError, match="cannot be found in its tokens"):
        prompt_spans(TOKENIZER, messages, [5, 6, 7])


def test_pad_right__zeros_after_each_sequence_are_not_real():
    ids, real = pad_right([[7, 8, 9], [5], (6, 4)])
    assert ids.tolist() == [[7, 8, 9], [5, 0, 0], [6, 4, 0]]
    assert real.tolist() == [[True, True, True], [True, False, False], [True, True, False]]


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        ("<think>Blue, or green?</think>\nBlue.<|im_end|>", "Blue."),
        ("<think>It never ends", ""),
        ("Blue.<|im_end|>", "Blue."),
        ("<tool_call>{oops</tool_call>Blue.<|im_end|>", "<tool_call>{oops</tool_call>Blue."),  # cannot be parsed
    ],
)
def test_answer_text__is_the_content_by_the_response_template(answer, content):
    tokenizer = thinking_tokenizer()
    prompt = encode_prompt(tokenizer, [{"role": "user", "content": "Describe the sea."}])
    assert answer_text(tokenizer, prompt, encode(answer)) == content


def test_answer_text__is_all_of_it_without_a_response_template():
    assert (
        answer_text(TOKENIZER, [5, 6], encode("<think>Blue?</think> Blue.<|im_end|>")) == "<think>Blue?</think> Blue."
    )
