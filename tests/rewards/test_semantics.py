"""Semantics: where `reward`, what a rule's sentence says, differs from `eval`, what IFEval's checker does; by hand."""

import runpy
from pathlib import Path

import pytest

from rewards.verifiers import verify, verifying

LESS = {"relation": "less than"}
HINDI = "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e"
"""Two words, which `\\w+` cuts at each of their four marks into six runs: na-ma-sa, ta, da, na, ya."""
SHOUTED = "THE RIVER RISES EVERY SPRING WHEN THE SNOW ON THE HILLS MELTS AND FLOODS THE FIELDS OF THE FARMERS."

# (kind, arguments, completion, satisfied under reward, satisfied under eval)
DIFFERENCES = [
    ("keywords:existence", {"keywords": ["hat"]}, "I know what you did.", False, True),
    ("keywords:existence", {"keywords": ["hat"]}, "A hat.", True, True),
    ("keywords:existence", {"keywords": ["rain"]}, "Heavy r\u034fain.", True, False),
    ("keywords:existence", {"keywords": ["new york"]}, "I love New\nYork.", True, False),
    ("keywords:existence", {"keywords": ["don't"]}, "I don\u2019t.", True, False),
    ("keywords:frequency", {"keyword": "cat", "frequency": 2, "relation": "at least"}, "The catcat.", False, True),
    ("keywords:frequency", {"keyword": "cat", "frequency": 1, **LESS}, "c\ufe00at", False, True),
    ("keywords:forbidden_words", {"forbidden_words": ["C++"]}, "Use C++ now.", False, True),
    (
        "keywords:forbidden_words",
        {"forbidden_words": ["rain"]},
        "The \u0280\u1d00\u026a\u0274 falls.",
        False,
        True,
    ),  # small capitals
    ("keywords:forbidden_words", {"forbidden_words": ["rain"]}, "The r\u0430in falls.", False, True),  # a Cyrillic a
    ("keywords:forbidden_words", {"forbidden_words": ["rain"]}, "The r\u200bain falls.", False, True),
    ("keywords:forbidden_words", {"forbidden_words": ["rain"]}, "The _rain_ falls.", False, True),
    ("keywords:forbidden_words", {"forbidden_words": ["rain"]}, "The r\u0336a\u0336i\u0336n\u0336 falls.", False, True),
    ("keywords:forbidden_words", {"forbidden_words": ["rain"]}, "The train falls.", True, True),
    (
        "keywords:letter_frequency",
        {"letter": "e", "let_frequency": 1, "let_relation": "less than"},
        "S\uff45a",
        False,
        True,
    ),
    (
        "keywords:letter_frequency",
        {"letter": "e", "let_frequency": 1, "let_relation": "less than"},
        "S\xe9a",
        True,
        True,
    ),
    ("punctuation:no_comma", {}, "Rain\uff0c sun", False, True),
    ("punctuation:no_comma", {}, "Rain\u3001sun", False, True),
    ("punctuation:no_comma", {}, "Rain\u201a sun", False, True),
    ("punctuation:no_comma", {}, "Rain and sun; it's fine.", True, True),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Sent by U.P.S. to you.", False, True),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye. P.S.", False, True),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye. P.S. P.S.", False, True),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\n\n**P.S.**\nWrite soon.", True, True),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "P.S. Bye. P.P.S. Write.", True, True),
    ("detectable_content:number_placeholders", {"num_placeholders": 1}, "Dear [],", False, True),
    ("detectable_content:number_placeholders", {"num_placeholders": 1}, "[here](a.org)", False, True),
    ("detectable_content:number_placeholders", {"num_placeholders": 1}, "- [x] done", False, True),
    ("detectable_content:number_placeholders", {"num_placeholders": 1}, "As said [1].", False, True),
    ("detectable_content:number_placeholders", {"num_placeholders": 1}, "Dear [name],", True, True),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "Rain\n\n---\n", False, True),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* rain\n* \n", False, True),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "* rain\n\n---\n", True, False),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* rain\n  - sun", True, True),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "So 2 * 3 * 4 = 24.", False, True),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "So *?* it is.", False, True),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "`*a*`", False, True),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "_rain_ and __sun__", True, False),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "***rain***", True, True),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 1},
        "\u8fd9\u662f**\u91cd\u70b9**\u5185\u5bb9",
        True,
        True,
    ),
    ("detectable_format:multiple_sections", {"section_spliter": "Day", "num_sections": 2}, "Day 1 Day 2", False, True),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Day", "num_sections": 2},
        "Day 1 a Day 1 b",
        False,
        True,
    ),
    ("detectable_format:multiple_sections", {"section_spliter": "day", "num_sections": 1}, "Monday 3 a", False, True),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Day", "num_sections": 2},
        "Day 1\na\nDay 2\nb",
        True,
        True,
    ),
    ("detectable_format:title", {}, "<<poem of joy>>", False, True),  # the prompt's own example
    ("detectable_format:title", {}, "<<!>>", False, True),
    ("detectable_format:title", {}, "<<The Sea>>", True, True),
    ("detectable_format:json_format", {}, "1", False, True),
    ("detectable_format:json_format", {}, "{}", False, True),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', True, True),
    ("detectable_format:constrained_response", {}, "My answer is yes. My answer is no.", False, True),
    ("detectable_format:constrained_response", {}, "My answer is no.", True, True),
    ("startend:quotation", {}, '""', False, True),
    ("startend:quotation", {}, "\u201cRain falls.\u201d", True, False),
    ("startend:quotation", {}, '"Rain falls."', True, True),
    ("startend:end_checker", {"end_phrase": "end"}, "I will send", False, True),
    ("startend:end_checker", {"end_phrase": "That's it."}, "Well. **That\u2019s it.**", True, False),
    ("startend:end_checker", {"end_phrase": "That's it."}, "Well. That's it.", True, True),
    ("combination:two_responses", {}, "Yes.\n******\nYES.", False, True),
    ("combination:two_responses", {}, "Yes.\n******\n...", False, True),
    ("combination:two_responses", {}, "Yes.\n******\nNo.", True, True),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Don't stop."}, "Don\u2019t stop. Go!", True, False),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, "Say hi. Hi!", True, True),
    ("length_constraints:number_words", {"num_words": 2, "relation": "at least"}, "Rain _ _ _", False, True),
    ("length_constraints:number_words", {"num_words": 3, **LESS}, HINDI, True, False),
    ("length_constraints:number_words", {"num_words": 2, **LESS}, "cafe\u0301s", True, False),
    (
        "length_constraints:number_words",
        {"num_words": 2, "relation": "at least"},
        "r\u200ba\u200bi\u200bn",
        False,
        True,
    ),
    ("length_constraints:number_sentences", {"num_sentences": 3, **LESS}, "1. Milk.\n2. Eggs.", True, False),
    ("length_constraints:number_sentences", {"num_sentences": 2, **LESS}, "Rain falls. ...", True, False),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "Rain.\n***\n-", False, True),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "Rain.\n***\nSun.", True, True),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "Don't"},
        "**Don\u2019t** go.",
        True,
        False,
    ),
    ("language:response_language", {"language": "de"}, "7.", False, True),
    ("change_case:english_capital", {}, SHOUTED, True, False),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 1, "capital_relation": "exactly"},
        "U.S and u.s",
        True,
        True,
    ),
]
PROMPT = "Write a poem with a title in double angular brackets, such as <<poem of joy>>."


@pytest.mark.parametrize(("kind", "kwargs", "text", "reward", "published"), DIFFERENCES)
def test_verify__reward_is_the_sentence_and_eval_the_published_checker(kind, kwargs, text, reward, published):
    assert verify(kind, text, prompt=PROMPT, **kwargs).satisfied is reward
    assert verify(kind, text, prompt=PROMPT, semantics="reward", **kwargs).satisfied is reward
    assert verify(kind, text, prompt=PROMPT, semantics="eval", **kwargs).satisfied is published


@pytest.mark.parametrize("semantics", ["reward", "eval"])
@pytest.mark.parametrize(("kind", "kwargs", "text", "reward", "published"), DIFFERENCES)
def test_verify__evidence_proves_the_verdict_under_both(kind, kwargs, text, reward, published, semantics):
    verdict = verify(kind, text, prompt=PROMPT, semantics=semantics, **kwargs)
    spans = sorted(verdict.evidence)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    rest = text
    for start, end in reversed(spans):
        rest = rest[:start] + rest[end:]
    if verdict.satisfied and spans:
        assert not verify(kind, rest, prompt=PROMPT, semantics=semantics, **kwargs).satisfied
    elif spans and spans != [(0, len(text))] and kind != "startend:quotation":
        assert verify(kind, rest, prompt=PROMPT, semantics=semantics, **kwargs).margin >= verdict.margin


@pytest.mark.parametrize(
    ("kind", "kwargs", "text", "expected"),
    [
        ("keywords:existence", {"keywords": ["rain"]}, "The r\u034fain.", ["r\u034fain"]),
        ("keywords:forbidden_words", {"forbidden_words": ["file"]}, "A \ufb01le.", ["\ufb01le"]),  # a ligature
        ("keywords:frequency", {"keyword": "rain", "frequency": 2, "relation": "exactly"}, "Rain, \uff32ain", None),
        ("keywords:existence", {"keywords": ["run"], "stems": True}, "She runs.", ["runs"]),
        ("punctuation:no_comma", {}, "a\uff0cb\u3001", ["\uff0c", "\u3001"]),
        ("detectable_content:postscript", {"postscript_marker": "P.S."}, "U.P.S. came.\nP.S. Hi.\nEnd", ["P.S. Hi."]),
        ("detectable_format:title", {}, "<<poem of joy>>\n<<Sea>>", ["<<Sea>>"]),
        (
            "keywords:letter_frequency",
            {"letter": "e", "let_frequency": 1, "let_relation": "at least"},
            "a\uff45",
            ["\uff45"],
        ),
    ],
)
def test_verify__evidence_is_text_as_it_was_given(kind, kwargs, text, expected):
    verdict = verify(kind, text, prompt=PROMPT, **kwargs)
    found = [text[start:end] for start, end in verdict.evidence]
    assert found == (["Rain", "\uff32ain"] if expected is None else expected)


def test_keywords__stems_is_a_setting():
    for kind, kwargs in (
        ("keywords:existence", {"keywords": ["rain"]}),
        ("keywords:frequency", {"keyword": "rain", "frequency": 1, "relation": "exactly"}),
    ):
        assert not verify(kind, "It was raining.", prompt="", **kwargs).satisfied
        assert verify(kind, "It was raining.", prompt="", stems=True, **kwargs).satisfied
        assert not verify(kind, "The train.", prompt="", stems=True, **kwargs).satisfied
    assert not verify(
        "keywords:forbidden_words", "It rains.", prompt="", forbidden_words=["raining"], stems=True
    ).satisfied


def test_verify__nth_paragraph_beyond_their_number_is_refused():
    with pytest.raises(ValueError, match="nth_paragraph must not exceed num_paragraphs, got 3 > 2"):
        verify(
            "length_constraints:nth_paragraph_first_word",
            "Rain.",
            prompt="",
            num_paragraphs=2,
            nth_paragraph=3,
            first_word="rain",
        )


@pytest.mark.parametrize("disguise", ["\u200b", "\u2060", "\u00ad", "\u034f", "\ufe00", "\u0336"])
def test_forbidden_words__cannot_be_smuggled_in(disguise):
    text = f"The {disguise.join('banned')} word."
    verdict = verify("keywords:forbidden_words", text, prompt="", forbidden_words=["banned"])
    assert [text[start:end] for start, end in verdict.evidence] == [disguise.join("banned")]


def test_verifying__decides_where_verify_is_not_told_and_ends_with_its_block():
    def satisfied(**told):
        return verify("punctuation:no_comma", "Rain\uff0c sun", prompt="", **told).satisfied

    with verifying("eval"):
        assert satisfied() is True
        assert satisfied(semantics="reward") is False
        with pytest.raises(ZeroDivisionError), verifying("reward"):
            assert satisfied() is False
            _ = 1 / 0
        assert satisfied() is True
    assert satisfied() is False


PUBLISHED = runpy.run_path(str(Path(__file__).parent / "cases" / "ifrlvr.py"))["EVAL"]


@pytest.mark.parametrize(("kind", "kwargs", "text", "published"), PUBLISHED)
def test_verify__if_rlvr_under_eval(kind, kwargs, text, published):
    assert verify(kind, text, prompt="", semantics="eval", **kwargs).satisfied is published


def test_ifbench__eval_differs_where_the_checkers_do():
    both = [
        ("count:conjunctions", {"small_n": 2}, "Rain and And.", False, True),
        ("count:numbers", {"N": 1}, "10-20", False, True),
        ("count:unique_word_count", {"N": 3}, "Go go - now", False, True),
        ("count:word_count_range", {"min_words": 3, "max_words": 9}, "Rain _ _", False, True),
        ("words:palindrome", {}, "level " * 10, False, True),
        ("words:prime_lengths", {}, "?!", False, True),
        ("words:words_position", {"keyword": "sea"}, "The sea is sea now!?", True, False),
        ("ratio:sentence_type", {}, "Rain!", False, True),
        ("ratio:sentence_balance", {}, "Rain", False, True),
        ("ratio:sentence_words", {}, "Rain fell. Rain left. Cats purr.", False, True),
        ("format:list", {"sep": "-"}, "a - b - c", False, True),
        ("format:output_template", {}, "My Answer: My Conclusion: Future Outlook:", False, True),
        ("format:parentheses", {}, "((((( a ))))", False, True),
        ("format:sub-bullets", {}, "Rain", False, True),
    ]
    for kind, kwargs, text, reward, published in both:
        assert verify(kind, text, prompt="", semantics="reward", **kwargs).satisfied is reward, kind
        assert verify(kind, text, prompt="", semantics="eval", **kwargs).satisfied is published, kind
