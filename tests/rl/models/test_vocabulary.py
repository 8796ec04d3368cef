"""Vocabulary: what each token spells on its own, compared with decoding it again and again."""

from random import Random

import pytest
from transformers import PreTrainedTokenizerBase

from rl.models.load import load_tokenizer
from rl.models.tokenization import completion_spans
from rl.models.vocabulary import TextLengths, is_punctuation, punctuation_mask, spells_bytes

TINY = load_tokenizer("tiny")


def every_token_in_random_order(tokenizer: PreTrainedTokenizerBase, length: int = 16) -> list[list[int]]:
    """Return all ids, some beyond the vocabulary among them, as completions."""
    ids = list(range(len(tokenizer) + 5))
    Random(0).shuffle(ids)
    return [ids[start : start + length] for start in range(0, len(ids), length)]


def assert_as_decoded(tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare spans and punctuation with those that come from decoding alone."""
    completions = every_token_in_random_order(tokenizer)
    assert spells_bytes(tokenizer)
    looked_up = [completion_spans(tokenizer, ids) for ids in completions]
    punctuation = [is_punctuation(tokenizer.decode([token])) for token in range(len(tokenizer))]
    assert any(punctuation) and punctuation_mask(tokenizer).tolist() == punctuation
    monkeypatch.setattr("rl.models.vocabulary.spells_bytes", lambda tokenizer: False)
    assert looked_up == [completion_spans(tokenizer, ids) for ids in completions]


def test_vocabulary__spells_what_decoding_does(monkeypatch):
    assert_as_decoded(TINY, monkeypatch)


def test_vocabulary__of_the_real_model_spells_what_decoding_does(smollm2_path, monkeypatch):
    assert_as_decoded(load_tokenizer(str(smollm2_path)), monkeypatch)


def test_text_lengths__are_unknown_for_parts_of_characters():
    # an emoji is four bytes here, of which each token is one
    ids = TINY("a😀", add_special_tokens=False)["input_ids"]
    lengths = TextLengths(TINY)
    assert [lengths[token] for token in ids] == [1, None, None, None, None]


def test_text_lengths__are_unknown_where_decoding_cleans_up(monkeypatch):
    # " ." becomes "." behind a word
    monkeypatch.setattr(TINY, "clean_up_tokenization_spaces", True)
    assert TextLengths(TINY)[TINY("a", add_special_tokens=False)["input_ids"][0]] is None


def test_completion_spans__decode_a_token_once(monkeypatch):
    tokenizer = load_tokenizer("tiny")
    ids = tokenizer("The sea. The sea. The sea.", add_special_tokens=False)["input_ids"]
    decoded: list[list[int]] = []
    decode = tokenizer.decode
    monkeypatch.setattr(tokenizer, "decode", lambda ids, **options: decoded.append(ids) or decode(ids, **options))
    completion_spans(tokenizer, ids)
    completion_spans(tokenizer, ids)
    assert sorted(decoded) == sorted([token] for token in set(ids))


@pytest.mark.parametrize(
    ("text", "expected"),
    [(",", True), (" (", True), ("...", True), ("a,", False), (" ", False), ("", False), ("$", False)],
)
def test_is_punctuation__nothing_but_punctuation(text, expected):
    assert is_punctuation(text) is expected
