"""Reasoning: thoughts and answers are told apart, however the tags stand."""

import pytest

from data.preferences import preference_pairs, score_answer
from data.problems import ConstraintSpec, Problem
from data.reasoning import ReasoningTags, find_tags, split_completion, split_written

TAGS = ReasoningTags(start="<think>", end="</think>")
NO_COMMA = Problem(
    problem_id="sea",
    messages=({"role": "user", "content": "Describe the sea. Use no commas."},),
    constraints=(ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas."),),
)


@pytest.mark.parametrize(
    ("text", "opened", "thought", "answer"),
    [
        ("<think>\nBlue, or green?\n</think>\n\nBlue.", False, "Blue, or green?", "Blue."),
        ("\n<think>x</think>Blue.", False, "x", "Blue."),
        ("Blue, or green?\n</think>\n\nBlue.", True, "Blue, or green?", "Blue."),  # the template has opened it
        ("<think>x</think>Blue.", True, "x", "Blue."),  # and the model has repeated the tag
        ("<think>a<think>b</think>c</think>Blue.", False, "a<think>b</think>c", "Blue."),  # nested
        ("<think>I write <think> now.</think>Blue.", False, "I write <think> now.", "Blue."),  # opened once too often
        ("<think>x</think>Write <think>y</think> so.", False, "x", "Write <think>y</think> so."),  # in the answer
        ("Write <think>y</think> so.", False, "", "Write <think>y</think> so."),
        ("</think>Blue.", True, "", "Blue."),
        ("<think></think>", False, "", ""),
        ("Blue.", False, "", "Blue."),
    ],
)
def test_split_completion__tells_the_thought_from_the_answer(text, opened, thought, answer):
    split = split_completion(text, TAGS, opened=opened)
    assert (split.thought, split.answer, split.finished) == (thought, answer, True)
    assert split.before + split.answer == text and split.start == len(split.before)


@pytest.mark.parametrize(("text", "opened"), [("<think>It never ends", False), ("It never ends", True)])
def test_split_completion__a_thought_without_an_end_has_no_answer(text, opened):
    split = split_completion(text, TAGS, opened=opened)
    assert (split.thought, split.answer, split.finished) == ("It never ends", "", False)
    assert split.start == len(text)


def test_split_completion__without_tags_all_is_answer():
    assert split_completion("<think>x</think> y", None, opened=True).answer == "<think>x</think> y"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("x</think>Blue.", "Blue."),
        ("<think>x</think>Blue.", "Blue."),
        ("Blue <think>x</think>", "Blue <think>x</think>"),
    ],
)
def test_split_written__a_closing_tag_before_any_other_says_that_the_prompt_opened(text, answer):
    assert split_written(text, TAGS).answer == answer


def test_find_tags__takes_the_pair_that_the_template_names():
    assert find_tags("{% if x %}<think>\n\n</think>{% endif %}") == TAGS
    assert find_tags("[THINK]{{ x }}[/THINK]") == ReasoningTags(start="[THINK]", end="[/THINK]")
    assert find_tags("{{ messages }} <think>") is None


@pytest.mark.parametrize(("start", "end"), [("", "</think>"), ("<think>", " "), ("think", "/think"), ("x", "x")])
def test_reasoning_tags__that_cannot_be_told_apart_are_refused(start, end):
    with pytest.raises(ValueError, match="tags of reasoning must be two texts"):
        ReasoningTags(start=start, end=end)


def test_score_answer__judges_the_answer_and_places_evidence_in_the_whole_text():
    text = "<think>Blue, or green?</think>It is blue, so blue."
    scored = score_answer(NO_COMMA, text, TAGS)
    assert scored is not None and scored.text == text and scored.score == 0.0
    [(start, end)] = scored.verdicts[0].evidence
    assert (start, end) == (text.rindex(","), text.rindex(",") + 1)
    assert scored.answer_start == text.index("It is")
    fine = score_answer(NO_COMMA, "<think>Blue, or green?</think>It is blue and so on.", TAGS)
    assert fine is not None and fine.score == 1.0


def test_preference_pairs__keep_the_thoughts_and_rank_by_the_answers():
    good, bad = "<think>a, b</think>It is blue and wide.", "<think>ab</think>It is blue, and wide."
    [pair] = preference_pairs([(NO_COMMA, [bad, good])], tags=TAGS)
    assert (pair.chosen.text, pair.rejected.text) == (good, bad)
    assert preference_pairs([(NO_COMMA, [bad, good])]) == [], "without tags both have a comma"
