"""Credit colours: the scale by hand, and that every view of credit uses it."""

import re
from pathlib import Path

import pytest

import rl.report.write
from rl.credit.colors import BLUE, ORANGE, on_white, scale_reach, share_color
from rl.evaluation.console import colored_by_credit
from rl.models.load import load_tokenizer
from rl.tracking.html import credit_html

WEIGHTS = [2.0, 1.0, 0.5]
"""They lie 1, 0 and 0.5 from an equal share: full, none and half of the strongest colour, 0.7."""


def test_share_color__more_is_orange_and_less_is_blue():
    reach = scale_reach(WEIGHTS)
    assert reach == 1.0
    assert [share_color(weight, reach) for weight in WEIGHTS] == [(ORANGE, 0.7), (ORANGE, 0.0), (BLUE, 0.35)]


def test_share_color__hardly_unequal_weights_stay_pale():
    # 0.01 from an equal share is a fifth of the smallest reach, 0.05
    assert share_color(1.01, scale_reach([1.01, 0.99]))[1] == pytest.approx(0.14)
    assert share_color(1.0, scale_reach([])) == (ORANGE, 0.0)


def test_on_white__by_hand():
    # orange 232, 89, 12 and blue 59, 143, 208: 70 % and 35 % of the way to them from 255
    assert [on_white(weight, 1.0) for weight in WEIGHTS] == [(239, 139, 85), (255, 255, 255), (186, 216, 239)]


def test_scale__is_the_same_on_the_console_in_wandb_and_in_the_report():
    tokenizer = load_tokenizer("tiny")
    ids = tokenizer("a b c")["input_ids"]
    styles = [str(span.style) for span in colored_by_credit(tokenizer, ids, WEIGHTS).spans]
    assert styles == ["black on rgb({},{},{})".format(*on_white(weight, 1.0)) for weight in WEIGHTS]
    html = re.findall(r"rgba\((\d+),(\d+),(\d+),([\d.]+)\)", credit_html("a b c", [(0, 1), (1, 3), (3, 5)], WEIGHTS))
    expected = [(color.rgb(), opacity) for color, opacity in (share_color(weight, 1.0) for weight in WEIGHTS)]
    assert [((int(red), int(green), int(blue)), float(opacity)) for red, green, blue, opacity in html] == expected


def test_report__takes_its_colours_from_the_scale():
    assert "#e8590c" in rl.report.write.color_style() and "#3b8fd0" in rl.report.write.color_style()
    page = Path(rl.report.write.__file__).parent / "page"
    sources = [path.read_text() for path in page.iterdir()]
    assert sources
    for color in (ORANGE, BLUE):
        assert not any(color.light in source or color.dark in source for source in sources)
