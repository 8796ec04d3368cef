"""Heat maps: colours by hand, and text that stays text."""

import re

from rl.tracking.html import BLUE, ORANGE, credit_html


def test_more_than_an_equal_share_is_orange_and_less_is_blue():
    # weights 2, 1 and 0.5 lie 1, 0 and 0.5 from an equal share: full, none and half of 0.7
    shown = credit_html("abc", [(0, 1), (1, 2), (2, 3)], [2.0, 1.0, 0.5])
    assert re.findall(r"rgba\(([\d,.]+)\)\">(.)<", shown) == [
        (f"{ORANGE},0.70", "a"),
        (f"{ORANGE},0.00", "b"),
        (f"{BLUE},0.35", "c"),
    ]


def test_a_shared_character_takes_the_largest_weight_and_special_tokens_show_nothing():
    shown = credit_html("é", [(0, 1), (0, 1), (1, 1)], [0.5, 1.5, 9.0])
    assert shown.count("<span") == 1
    assert 'title="1.50"' in shown


def test_text_is_escaped():
    assert "&lt;b&gt;" in credit_html("<b>", [(0, 3)], [1.0])
