"""Console: the tables of an evaluation, and colours on the characters that each token wrote."""

import pytest
from rich.console import Console
from rich.text import Text

from rl.evaluation.console import colored_by_credit, show_answers, show_credit, show_gain
from rl.evaluation.evaluate import Evaluation, paired_gain
from rl.models.load import load_tokenizer
from tests.rl.evaluation.test_evaluate import make_answer, make_evaluation

TOKENIZER = load_tokenizer("tiny")


@pytest.fixture
def console() -> Console:
    return Console(record=True, width=160, force_terminal=False)


def colours(text: Text) -> list[tuple[str, str]]:
    """(characters, style) of each coloured stretch."""
    return [(text.plain[span.start : span.end], str(span.style)) for span in text.spans]


def test_colored_by_credit__more_is_orange_less_is_blue_and_equal_is_white():
    ids = TOKENIZER("a b c")["input_ids"]
    text = colored_by_credit(TOKENIZER, ids, [0.5, 1.0, 1.5][: len(ids)])
    # 70 % of the way from white to blue (59, 143, 208) and to orange (232, 89, 12)
    assert colours(text) == [
        ("a", "black on rgb(118,177,222)"),
        (" b", "black on rgb(255,255,255)"),
        (" c", "black on rgb(239,139,85)"),
    ]


def test_colored_by_credit__equal_weights_are_all_white():
    ids = TOKENIZER("a b c")["input_ids"]
    styles = {style for _, style in colours(colored_by_credit(TOKENIZER, ids, [1.0] * len(ids)))}
    assert styles == {"black on rgb(255,255,255)"}


def test_colored_by_credit__text_is_the_completion():
    text = "Brackets [bold] and 😀 stay."
    ids = [*TOKENIZER(text)["input_ids"], TOKENIZER.eos_token_id]
    assert colored_by_credit(TOKENIZER, ids, [1.0] * len(ids)).plain == text


def test_show_credit__introduces_the_completion(console):
    ids = TOKENIZER("rain")["input_ids"]
    record = {"step": 3, "which": "best", "advantage": 1.25, "completion_ids": ids, "weights": [1.0] * len(ids)}
    show_credit(console, record, TOKENIZER)
    shown = console.export_text()
    assert "step 3, best of its group, advantage +1.25" in shown
    assert shown.rstrip().endswith("rain")


def test_show_gain__by_kind_of_constraint(console):
    before = make_evaluation(sea=(False, True), sky=(False, True))
    after = make_evaluation(sea=(True, True), sky=(True, False))
    show_gain(console, before, after, paired_gain(before, after))
    rows = {cells[0]: cells[1:] for line in console.export_text().splitlines() if (cells := cells_of(line))}
    assert rows["all (mean over problems)"][:3] == ["0.50", "0.75", "2"]
    # two of three satisfied constraints more by kind:0, one less by kind:1: +2 and -1 of a total of 1
    assert rows["kind:0"] == ["0.00", "1.00", "2", "+200%"]
    assert rows["kind:1"] == ["1.00", "0.50", "2", "-100%"]


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]]


@pytest.mark.parametrize(
    ("satisfied", "verdict"), [(True, "the interval excludes zero"), (False, "the interval includes zero")]
)
def test_show_gain__the_interval_decides(satisfied, verdict, console):
    before, after = make_evaluation(sea=(False,), sky=(False,)), make_evaluation(sea=(satisfied,), sky=(satisfied,))
    show_gain(console, before, after, paired_gain(before, after))
    assert verdict in console.export_text()


def test_show_gain__a_kind_that_applied_on_one_side_only(console):
    before = Evaluation(answers=(make_answer("sea", True), make_answer("sky", True)))
    after = Evaluation(answers=(make_answer("sea", True, False), make_answer("sky", True)))
    show_gain(console, before, after, paired_gain(before, after))
    rows = {cells[0]: cells[1:] for line in console.export_text().splitlines() if (cells := cells_of(line))}
    assert rows["kind:1"] == ["-", "0.00", "1", ""]


def test_show_answers__side_by_side(console):
    before = make_evaluation(**{f"p{index}": (False,) for index in range(9)})
    after = make_evaluation(**{f"p{index}": (True,) for index in range(9)})
    show_answers(console, before, after)
    shown = console.export_text()
    assert shown.count("✗ kind:0") == shown.count("✓ kind:0") == 3
