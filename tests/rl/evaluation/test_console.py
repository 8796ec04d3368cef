"""The look at a run: its figures, and colours that fall on the characters each token wrote."""

import pytest
from rich.console import Console
from rich.text import Text

from rl.evaluation.console import coloured, show_answers, show_credit, show_gain
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


def test_the_largest_weight_is_blue_and_the_smallest_white():
    ids = TOKENIZER("a b c")["input_ids"]
    text = coloured(TOKENIZER, ids, [0.5, 1.0, 1.5][: len(ids)])
    # halfway from 255 to 100 is 177.5
    assert colours(text) == [
        ("a", "black on rgb(255,255,255)"),
        (" b", "black on rgb(177,177,255)"),
        (" c", "black on rgb(100,100,255)"),
    ]


def test_equal_weights_are_all_white():
    ids = TOKENIZER("a b c")["input_ids"]
    assert {style for _, style in colours(coloured(TOKENIZER, ids, [1.0] * len(ids)))} == {"black on rgb(255,255,255)"}


def test_the_coloured_text_is_the_completion():
    text = "Brackets [bold] and 😀 stay."
    ids = [*TOKENIZER(text)["input_ids"], TOKENIZER.eos_token_id]
    assert coloured(TOKENIZER, ids, [1.0] * len(ids)).plain == text


def test_a_recorded_completion_is_introduced(console):
    ids = TOKENIZER("rain")["input_ids"]
    record = {"step": 3, "which": "best", "advantage": 1.25, "completion_ids": ids, "weights": [1.0] * len(ids)}
    show_credit(console, record, TOKENIZER)
    shown = console.export_text()
    assert "step 3, best of its group, advantage +1.25" in shown
    assert shown.rstrip().endswith("rain")


def test_the_gain_is_shown_with_its_verdict(console):
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
    ("held", "verdict"), [(True, "the interval excludes zero"), (False, "the interval includes zero")]
)
def test_the_interval_decides(held, verdict, console):
    before, after = make_evaluation(sea=(False,), sky=(False,)), make_evaluation(sea=(held,), sky=(held,))
    show_gain(console, before, after, paired_gain(before, after))
    assert verdict in console.export_text()


def test_a_kind_that_applied_on_one_side_only_is_shown(console):
    before = Evaluation(answers=(make_answer("sea", True), make_answer("sky", True)))
    after = Evaluation(answers=(make_answer("sea", True, False), make_answer("sky", True)))
    show_gain(console, before, after, paired_gain(before, after))
    rows = {cells[0]: cells[1:] for line in console.export_text().splitlines() if (cells := cells_of(line))}
    assert rows["kind:1"] == ["-", "0.00", "1", ""]


def test_answers_stand_side_by_side(console):
    before = make_evaluation(**{f"p{index}": (False,) for index in range(9)})
    after = make_evaluation(**{f"p{index}": (True,) for index in range(9)})
    show_answers(console, before, after)
    shown = console.export_text()
    assert shown.count("✗ kind:0") == shown.count("✓ kind:0") == 3
