"""Preference pairs: which answers are paired, and the row of a pair."""

import json
import math

import pytest

from data.preferences import (
    best_and_worst,
    deduplicate,
    minimal_pairs,
    pair_from_row,
    pair_row,
    plain_pair_from_row,
    preference_pairs,
    score_answer,
)
from data.problems import ConstraintSpec, Problem

# Three rules: no comma, at most six words, the word "rain".
PROBLEM = Problem(
    problem_id="rain",
    messages=({"role": "user", "content": "Describe rain."},),
    constraints=(
        ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas."),
        ConstraintSpec(id="length:word_range", kwargs={"minimum": 1, "maximum": 6}, text="At most 6 words."),
        ConstraintSpec(id="keywords:existence", kwargs={"keywords": ["rain"]}, text="Say rain."),
    ),
)
ALL_THREE = "The rain falls softly."
NO_RAIN = "Water falls."
COMMA = "The rain, it falls."
NOTHING = "Water falls, and falls, and falls, and falls."


def scored(*texts):
    return [score_answer(PROBLEM, text) for text in texts]


def test_score_answer__is_the_share_of_satisfied_rules():
    assert [answer.score for answer in scored(ALL_THREE, COMMA, NOTHING)] == [1, 2 / 3, 0]


def test_best_and_worst__has_the_widest_gap():
    pair = best_and_worst(PROBLEM, scored(COMMA, NOTHING, ALL_THREE, NO_RAIN))
    assert (pair.chosen.text, pair.rejected.text, pair.kind) == (ALL_THREE, NOTHING, "best_worst")
    assert pair.differs_on == ("punctuation:no_comma", "length:word_range", "keywords:existence")


def test_best_and_worst__equal_scores_give_none():
    assert best_and_worst(PROBLEM, scored(NO_RAIN, COMMA)) is None
    assert best_and_worst(PROBLEM, scored(ALL_THREE)) is None


@pytest.mark.parametrize(("gap", "paired"), [(1 / 3 - 1e-9, True), (0.34, False)])
def test_best_and_worst__gap_below_the_minimum_gives_none(gap, paired):
    assert (best_and_worst(PROBLEM, scored(ALL_THREE, COMMA), minimum_gap=gap) is not None) is paired


def test_best_and_worst__length_ratio_excludes_pairs():
    # 22 characters against 45, 12 and 19: ratio 2.05, 1.83 and 1.16; only the last is within 1.2
    answers = scored(ALL_THREE, NOTHING, NO_RAIN, COMMA)
    assert best_and_worst(PROBLEM, answers, length_ratio=1.2).rejected.text == COMMA
    assert best_and_worst(PROBLEM, answers, length_ratio=2.1).rejected.text == NOTHING
    with pytest.raises(ValueError, match="length_ratio must be at least 1"):
        best_and_worst(PROBLEM, answers, length_ratio=0.5)


def test_best_and_worst__ties_go_to_the_pair_closest_in_length():
    # both keep two of three; NO_RAIN has 12 characters, COMMA 19, ALL_THREE 22
    assert best_and_worst(PROBLEM, scored(ALL_THREE, NO_RAIN, COMMA)).rejected.text == COMMA


def test_minimal_pairs__differ_on_one_rule_each():
    pairs = minimal_pairs(PROBLEM, scored(ALL_THREE, NO_RAIN, COMMA, NOTHING))
    assert [(pair.differs_on, pair.chosen.text, pair.rejected.text) for pair in pairs] == [
        (("punctuation:no_comma",), ALL_THREE, COMMA),
        (("keywords:existence",), ALL_THREE, NO_RAIN),
    ]
    assert all(pair.kind == "minimal" for pair in pairs)


def test_preference_pairs__equal_completions_and_pairs_count_once():
    pairs = preference_pairs([(PROBLEM, [ALL_THREE, ALL_THREE, COMMA])] * 2, minimal=True)
    assert [(pair.chosen.text, pair.rejected.text) for pair in pairs] == [(ALL_THREE, COMMA)]
    assert pairs[0].kind == "best_worst"
    assert deduplicate(pairs + pairs) == pairs


def test_deduplicate__drops_pairs_that_differ_in_white_space():
    # the padded text begins with a line feed, so only the bare one begins with "The"
    spec = ConstraintSpec(id="length:paragraph_range", kwargs={"minimum": 1, "maximum": 1}, text="One paragraph.")
    problem = Problem(problem_id="p", messages=PROBLEM.messages, constraints=(spec,))
    bare, other = score_answer(problem, "Rain."), score_answer(problem, "Rain.\n\nRain.")
    pair = best_and_worst(problem, [bare, other])
    assert deduplicate([pair]) == [pair]
    same = score_answer(problem, "Rain. ")
    assert deduplicate([type(pair)(problem=problem, chosen=bare, rejected=same, kind="minimal", differs_on=())]) == []


def test_pair_row__has_trl_columns_scores_and_evidence():
    row = pair_row(best_and_worst(PROBLEM, scored(ALL_THREE, COMMA)))
    assert row["prompt"] == [{"role": "user", "content": "Describe rain."}]
    assert row["chosen"] == [{"role": "assistant", "content": ALL_THREE}]
    assert row["rejected"] == [{"role": "assistant", "content": COMMA}]
    assert (row["chosen_score"], row["rejected_score"]) == (1.0, 2 / 3)
    comma = COMMA.index(",")
    assert json.loads(row["rejected_verdicts"])[0] == {
        "satisfied": False,
        "margin": -1.0,
        "evidence": [[comma, comma + 1]],
    }
    assert row["differs_on"] == ["punctuation:no_comma"]


def test_pair_row__is_inverted_by_pair_from_row():
    pair = best_and_worst(PROBLEM, scored(ALL_THREE, COMMA))
    assert pair_from_row(json.loads(json.dumps(pair_row(pair)))) == pair


def test_pair_from_row__computes_verdicts_again():
    row = {
        **pair_row(best_and_worst(PROBLEM, scored(ALL_THREE, COMMA))),
        "rejected_verdicts": "[]",
        "rejected_score": 1.0,
    }
    assert pair_from_row(row).rejected.score == 2 / 3


@pytest.mark.parametrize(
    ("changes", "argument_error"),
    [
        ({"chosen": None}, "expected column 'chosen' to be text"),
        ({"constraints": []}, "at least one constraint that applies"),
    ],
)
def test_pair_from_row__bad_row_is_an_error(changes, argument_error):
    row = {
        "prompt": "Describe rain.",
        "chosen": "Rain.",
        "rejected": "No.",
        "constraints": [{"id": "punctuation:no_comma"}],
    }
    with pytest.raises(ValueError, match=argument_error):
        pair_from_row({**row, **changes})


def test_plain_pair_from_row__keeps_the_order_of_the_file():
    pair = plain_pair_from_row({"prompt": "Describe rain.", "chosen": "It falls.", "rejected": "No.", "source": "mine"})
    assert (pair.chosen.text, pair.rejected.text, pair.differs_on) == ("It falls.", "No.", ())
    assert pair.chosen.score > pair.rejected.score
    assert pair.problem.extras == {"source": "mine"}


USER = {"role": "user", "content": "Describe rain."}
ANSWER = {"role": "assistant", "content": "It falls."}


@pytest.mark.parametrize("chosen", ["It falls.", [ANSWER], [USER, ANSWER], [{**ANSWER, "tool_calls": None}]])
def test_plain_pair_from_row__an_answer_is_text_or_a_message_alone_or_after_the_prompt(chosen):
    pair = plain_pair_from_row({"prompt": "Describe rain.", "chosen": chosen, "rejected": "No."})
    assert pair.chosen.text == "It falls."


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ([USER], "to be one assistant's message, alone or after all messages of 'prompt'; got messages by user:"),
        ([ANSWER, USER, ANSWER], "got messages by assistant, user, assistant: earlier turns belong into 'prompt'"),
        ([USER, ANSWER, USER, ANSWER], "got messages by user, assistant, user, assistant:"),
        ([{**USER, "content": "Describe snow."}, ANSWER], "got messages by user, assistant:"),
        (
            [{**ANSWER, "content": "", "tool_calls": [{"name": "look"}]}],
            r"got \['tool_calls'\] too, which would be lost",
        ),
        ([{"role": "assistant", "content": None}], "with text 'role' and 'content', or .*; got the content None"),
        ([], r"to be text or a list of chat messages; got \[\]"),
    ],
)
@pytest.mark.parametrize("read", [plain_pair_from_row, pair_from_row])
def test_pair_from_row__refuses_turns_that_would_be_lost_or_trained_as_the_answer(read, chosen, message):
    row = {"prompt": "Describe rain.", "rejected": "No.", "constraints": [{"id": "punctuation:no_comma"}]}
    with pytest.raises(ValueError, match=f"expected .*column 'chosen' .*{message}"):
        read({**row, "chosen": chosen})


def test_confusion_pairs__differ_on_the_failed_constraint_with_margins_of_opposite_sign():
    problem = Problem(
        problem_id="p",
        messages=({"role": "user", "content": "Write."},),
        constraints=(
            ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="no comma"),
            ConstraintSpec(id="content:ascii_only", kwargs={}, text="plain letters"),
        ),
    )
    texts = ["Yes.", "Well.", "Yes, well.", "Oh, no."]  # the first two satisfy both, the others break the first
    margins = {"Yes.": [0.1, 0.2], "Well.": [0.3, 0.2], "Yes, well.": [-0.1, 0.4], "Oh, no.": [0.2, -0.9]}
    pairs = preference_pairs([(problem, texts)], margins=lambda _, answers: [margins[text] for text in answers])
    # "Oh, no." attends to what it breaks; of the chosen ones "Well." is farther from "Yes, well.": 0.4 to 0.2.
    # Nothing breaks the second constraint.
    assert [(pair.chosen.text, pair.rejected.text, pair.kind) for pair in pairs] == [
        ("Well.", "Yes, well.", "confusion")
    ]
    assert pairs[0].differs_on == ("punctuation:no_comma",)
    undefined = preference_pairs([(problem, texts)], margins=lambda _, answers: [[math.nan] * 2 for _ in answers])
    assert undefined == []
