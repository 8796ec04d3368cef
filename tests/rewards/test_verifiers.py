"""Verifiers fail closed: unknown kinds, wrong arguments, blank, hostile and gigantic texts."""

import os
import subprocess
import sys
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.feasibility.texts import TextKind
from rewards.verdict import Verdict
from rewards.verifiers import MAX_CHARACTERS, check_arguments, known_kinds, verify

ARGUMENTS = {
    "keyword": "sea",
    "phrase": "sea",
    "word": "sea",
    "text": "sea",
    "keywords": ["sea", "sky"],
    "relation": "at least",
    "letter": "e",
    "mark": ".",
    "first": 1,
    "last": 2,
    "minimum": 1,
    "maximum": 3,
    "num_paragraphs": 2,
    "nth_paragraph": 2,
    "min_words": 1,
    "max_words": 3,
    "instance": '{"problem": "tsp", "points": [[0, 0], [3, 0]]}',
}


def arguments_for(kind):
    """Return arguments that fit the kind, built from its argument model."""
    from rewards.verifiers import _kind_of

    fields = _kind_of(kind).arguments.model_fields
    return {name: _example(name, field) for name, field in fields.items() if field.is_required()}


def _example(name, field):
    if field.annotation == TextKind:
        return "plain"
    if name in ARGUMENTS:
        return ARGUMENTS[name]
    if name.endswith("relation"):
        return "at least"
    if name == "style":
        return "YYYY-MM-DD"
    if name == "script":
        return "Latin"
    if name == "levels":
        return [1]
    return {int: 2, str: "sea", list: ["sea"], dict: {}}[getattr(field.annotation, "__origin__", field.annotation)]


def test_known_kinds__are_at_least_sixty_and_sorted():
    assert len(known_kinds()) >= 60
    assert list(known_kinds()) == sorted(known_kinds())


def test_verify__unknown_kind_is_an_error_with_the_nearest_name():
    with pytest.raises(ValueError, match="'keywords:existance'; the nearest is 'keywords:existence'"):
        verify("keywords:existance", "text", prompt="")


@pytest.mark.parametrize("kind", known_kinds())
def test_check_arguments__missing_or_extra_argument_is_an_error_that_names_it(kind):
    kwargs = arguments_for(kind)
    check_arguments(kind, kwargs)
    with pytest.raises(ValueError, match="colour"):
        check_arguments(kind, {**kwargs, "colour": 1})
    for name in kwargs:
        with pytest.raises(ValueError, match=name):
            verify(kind, "text", prompt="", **{key: value for key, value in kwargs.items() if key != name})


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("length:word_range", {"minimum": 5, "maximum": 4}),
        ("length:word_range", {"minimum": -1, "maximum": 4}),
        ("copying:prompt_words", {"first": 3, "last": 2}),
        ("length:word_range", {"minimum": 1.5, "maximum": 4}),
        ("length:word_range", {"minimum": True, "maximum": 4}),
        ("keywords:existence", {"keywords": []}),
        ("keywords:existence", {"keywords": "sea"}),
        ("keywords:existence", {"keywords": [" "]}),
        ("keywords:frequency", {"keyword": "sea", "frequency": 2, "relation": "more than"}),
        ("content:exclude_mark", {"mark": "!!"}),
        ("letters:word_initial", {"letter": "7"}),
        ("format:heading_levels", {"levels": [7]}),
        ("content:dates", {"style": "YY", "num_dates": 1, "relation": "at least"}),
        ("json:schema", {"json_schema": {"type": "integre"}}),
    ],
)
def test_check_arguments__malformed_argument_is_an_error(kind, kwargs):
    with pytest.raises(ValueError, match=f"arguments of '{kind}' do not fit"):
        check_arguments(kind, kwargs)


def test_verify__whole_floats_are_counts():
    # three words, at least 2 and at most 5: the nearer bound is 1 word away
    bounds = {"minimum": 2.0, "maximum": 5.0}
    assert verify("length:word_range", "One two three.", prompt="", **bounds).margin == 1.0
    assert verify("length:word_range", "One two three.", prompt="", **bounds).satisfied
    with pytest.raises(ValueError, match=r"minimum.*got 2\.5"):
        verify("length:word_range", "One two three.", prompt="", minimum=2.5, maximum=5)


def test_json_schema__never_fetches_references():
    from referencing.exceptions import Unresolvable

    with pytest.raises(Unresolvable):
        verify("json:schema", "{}", prompt="", json_schema={"$ref": "http://localhost/schema.json"})


@pytest.mark.parametrize("kind", known_kinds())
def test_verify__blank_completion_satisfies_nothing(kind):
    for text in ("", " ", "\n\n\t", "\u3000"):
        assert not verify(kind, text, prompt="Write.", **arguments_for(kind)).satisfied


@given(text=st.text(max_size=80), data=st.data())
@settings(max_examples=300, deadline=None)
def test_verify__evidence_lies_inside_any_text(text, data):
    kind = data.draw(st.sampled_from(known_kinds()))
    verdict = verify(kind, text, prompt="Write a text.", **arguments_for(kind))
    assert all(end <= len(text) for _, end in verdict.evidence)
    assert len(set(verdict.evidence)) == len(verdict.evidence)


UNITS = ("(", "[", "<<", "*", '"', "{", '{"a":', "a. ", "> ", "\n- ", "|a", "a" * 99, "[a](", "\n#", "1,", "<a b='c'>")
BOMBS = (
    *((unit * 20_000)[:20_000] for unit in UNITS),
    "<a>" + "<b c='d'/>" * 2_000 + "</a>",
    "|a|b|\n|-|-|\n" + "|1|2|\n" * 3_000,
    "|a|\n|-|\n\n" * 2_000,
    '{"a": [' + "1," * 10_000 + "1]}",
    "> - 1. # a\n\n" * 1_500,
)


@pytest.mark.parametrize("text", BOMBS, ids=lambda text: repr(text[:9]))
def test_verify__never_takes_quadratic_time(text):
    # A quadratic pattern takes some 2 * 10 ** 8 steps here, seconds for one kind; all 120 linear ones take one.
    start = process_time()
    for kind in known_kinds():
        verify(kind, text, prompt=text, **arguments_for(kind))
    assert process_time() - start < 20


LONGEST = {
    "headings and rows": "# A b\n" * 7_000 + "|a|b|\n|-|-|\n" + "|c d|e f|\n" * 5_700,
    "numbers": "1. " * 33_000,
    "sentences": "".join(f"A{number}! *b* [c](d) \u201ce.\u201d " for number in range(4_300)),
}
"""Texts of nearly 100,000 characters."""


@pytest.mark.exhaustive
@pytest.mark.parametrize("text", LONGEST.values(), ids=LONGEST)
def test_verify__takes_less_than_a_second_for_the_longest_texts(text):
    assert 95_000 < len(text) <= MAX_CHARACTERS
    for kind in known_kinds():  # the first sentence, token and block wait for their libraries
        verify(kind, "A b.", prompt="", **arguments_for(kind))
    seconds = {}
    for kind in known_kinds():
        start = process_time()
        verify(kind, text, prompt=text, **arguments_for(kind))
        seconds[kind] = process_time() - start
    assert {kind: spent for kind, spent in seconds.items() if spent > 1} == {}


def test_verify__gigantic_completion_satisfies_nothing_and_costs_nothing():
    text = "Sea. " * 200_000
    start = process_time()
    assert not any(verify(kind, text, prompt="", **arguments_for(kind)).satisfied for kind in known_kinds())
    assert process_time() - start < 20


TEXTS = (
    "The Sea, the sky.\n\n- One\n- two: 3!",
    '{"a": [1, {"b": "c"}]}',
    "Le ciel est bleu. Die See ist grau.",
    "THE SEA!",
)


def all_verdicts() -> list[Verdict]:
    return [verify(kind, text, prompt="Write.", **arguments_for(kind)) for kind in known_kinds() for text in TEXTS]


def test_verify__is_the_same_over_twenty_repeats():
    from rewards.language import language_of
    from rewards.markup import blocks
    from rewards.text import sentence_spans

    first = all_verdicts()
    for _ in range(20):
        for cached in (language_of, blocks, sentence_spans):
            cached.cache_clear()
        assert all_verdicts() == first


def test_verify__is_the_same_in_another_process():
    code = f"import runpy; print(runpy.run_path({__file__!r})['all_verdicts']())"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    assert shown.stdout.strip() == str(all_verdicts())
