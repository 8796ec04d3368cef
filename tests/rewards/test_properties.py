"""Verifier laws: a text built for a rule satisfies it, the smallest edit breaks it, the evidence is that edit."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.count_verdicts import RELATIONS
from rewards.verifiers import verify

WORDS = st.sampled_from(["rain", "sea", "cloud", "sun", "river", "wind", "leaf", "stone"])
NUMBERS = st.integers(1, 8)
SENTENCE = "Rain falls on the hills today."


def verdict_of(kind, text, **kwargs):
    return verify(kind, text, prompt="Write.", **kwargs)


def within(count, bound, relation):
    return {
        "at least": count >= bound,
        "less than": count < bound,
        "at most": count <= bound,
        "exactly": count == bound,
    }[relation]


@settings(deadline=None)
@given(NUMBERS, NUMBERS, st.sampled_from(RELATIONS))
def test_counting_kinds__agree_with_what_was_built(count, bound, relation):
    built = {
        ("length_constraints:number_words", "num_words"): "sea " * count,
        ("length_constraints:number_sentences", "num_sentences"): f"{SENTENCE} " * count,
        ("format:headings", "num_headings"): "# Rain\n\ntext\n\n" * count,
        ("format:bullet_items", "num_items"): "- rain\n" * count,
        ("format:numbered_items", "num_items"): "".join(f"{number}. rain\n" for number in range(1, count + 1)),
        ("format:block_quotes", "num_quotes"): "> rain\n\ntext\n\n" * count,
        ("format:code_fences", "num_fences"): "```\nx\n```\n" * count,
        ("format:bold", "num_bold"): "the **sea** " * count,
        ("table:num_rows", "num_rows"): "| a |\n|---|\n" + "| 1 |\n" * count,
        ("table:num_columns", "num_columns"): "|" + " a |" * count + "\n|" + "---|" * count,
        ("json:nesting", "depth"): '{"a": ' * count + "1" + "}" * count,
        ("xml:num_attributes", "num_attributes"): "<a" + "".join(f' b{at}="c"' for at in range(count)) + "/>",
        ("content:numbers", "num_numbers"): "7 and " * count,
        ("punctuation:questions", "num_questions"): "Is it rain? " * count,
        ("punctuation:parentheses", "num_parentheses"): "rain (sea) " * count,
    }
    for (kind, name), text in built.items():
        verdict = verdict_of(kind, text, **{name: bound, "relation": relation})
        assert verdict.satisfied == within(count, bound, relation), (kind, text)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=8), st.data())
def test_no_comma__evidence_is_the_inserted_comma(words, data):
    text = " ".join(words)
    at = data.draw(st.integers(0, len(text)))
    assert verdict_of("punctuation:no_comma", text).satisfied
    assert verdict_of("punctuation:no_comma", text[:at] + "," + text[at:]).evidence == ((at, at + 1),)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=8), st.data())
def test_forbidden_words__evidence_is_the_inserted_word(words, data):
    at = data.draw(st.integers(0, len(words)))
    text = " ".join([*words[:at], "Fog", *words[at:]])
    start = len(" ".join([*words[:at], ""]))
    assert verdict_of("keywords:forbidden_words", " ".join(words), forbidden_words=["fog"]).satisfied
    assert verdict_of("keywords:forbidden_words", text, forbidden_words=["fog"]).evidence == ((start, start + 3),)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=6, unique=True), st.data())
def test_existence__every_keyword_is_needed(words, data):
    lost = data.draw(st.sampled_from(words))
    text = ", ".join(words)
    assert verdict_of("keywords:existence", text, keywords=words).satisfied
    assert verdict_of("keywords:existence", text.replace(lost, "fog"), keywords=words).margin == -1


@settings(deadline=None)
@given(st.text(st.sampled_from("abcdefgh"), min_size=1, max_size=6), st.data())
def test_acrostic__evidence_is_the_changed_line(word, data):
    lines = [f"{letter}nd so on" for letter in word]
    at = data.draw(st.integers(0, len(word) - 1))
    changed = [*lines[:at], "z" + lines[at][1:], *lines[at + 1 :]]
    start = len("\n".join([*lines[:at], ""]))
    assert verdict_of("letters:acrostic", "\n".join(lines), word=word).satisfied
    assert verdict_of("letters:acrostic", "\n".join(changed), word=word).evidence == ((start, start + 1),)


@settings(deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), NUMBERS)
def test_words_per_sentence__has_the_margin_of_the_longest(lengths, bound):
    text = " ".join("Rain" + " falls" * (length - 1) + "." for length in lengths)
    verdict = verdict_of("length:words_per_sentence", text, num_words=bound, relation="at most")
    assert verdict.margin == bound - max(lengths)
    broken = [text[start:end].count(" ") + 1 for start, end in verdict.evidence] if not verdict.satisfied else []
    assert broken == [length for length in lengths if length > bound]


@settings(deadline=None)
@given(st.recursive(st.none() | st.integers(), lambda inner: st.dictionaries(WORDS, inner, max_size=3), max_leaves=6))
def test_json_keys__found_bare_fenced_and_in_prose(value):
    text = json.dumps({"value": value})
    for completion in (text, f"```json\n{text}\n```", f"So this is it: {text} Done."):
        verdict = verdict_of("json:keys", completion, keys=["value"])
        assert verdict.satisfied and [completion[start:end] for start, end in verdict.evidence] == [text]


@settings(deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=8))
def test_letter_case__broken_by_one_letter(words):
    text = " ".join(words)
    assert verdict_of("change_case:all_lowercase", text).satisfied
    assert verdict_of("change_case:all_uppercase", text.upper()).satisfied
    assert verdict_of("change_case:title_case", text.title()).satisfied
    assert verdict_of("change_case:all_lowercase", text.capitalize()).evidence == ((0, 1),)
    assert verdict_of("change_case:all_uppercase", text[0] + text[1:].upper()).evidence == ((0, 1),)
    assert verdict_of("change_case:title_case", text[0] + text.title()[1:]).evidence == ((0, len(words[0])),)


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_two_responses__must_differ(first, second):
    verdict = verify("combination:two_responses", f"{first}******{second}", prompt="", semantics="eval")
    different = bool(first.strip()) and bool(second.strip()) and first.strip() != second.strip()
    assert verdict.satisfied == different or "*" in first + second
