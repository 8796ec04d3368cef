"""HTML for trackers: colours by hand, text that stays text, and the map of head roles."""

import re
from html.parser import HTMLParser

from attention_probes.heads import HeadRoles
from rl.tracking.html import credit_html, head_map_html


def test_credit_html__more_than_an_equal_share_is_orange_and_less_is_blue():
    # weights 2, 1 and 0.5 lie 1, 0 and 0.5 from an equal share: full, none and half of 0.7
    html = credit_html("abc", [(0, 1), (1, 2), (2, 3)], [2.0, 1.0, 0.5])
    assert re.findall(r"rgba\(([\d,.]+)\)\">(.)<", html) == [
        ("232,89,12,0.70", "a"),
        ("232,89,12,0.00", "b"),
        ("59,143,208,0.35", "c"),
    ]


def test_credit_html__a_shared_character_takes_the_largest_weight_and_special_tokens_show_nothing():
    html = credit_html("é", [(0, 1), (0, 1), (1, 1)], [0.5, 1.5, 9.0])
    assert html.count("<span") == 1
    assert 'title="1.50"' in html


def test_credit_html__text_is_escaped():
    assert "&lt;b&gt;" in credit_html("<b>", [(0, 3)], [1.0])


class TableRows(HTMLParser):
    """Collects the titles of the cells of each row."""

    def __init__(self):
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append(dict(attrs).get("title", ""))


def test_head_map_html__heads_stand_in_the_row_of_their_layer_and_in_their_column():
    table = TableRows()
    table.feed(head_map_html(HeadRoles(local_heads=((4, 0), (9, 2)), global_heads=((9, 1),))))
    assert table.rows == [
        ["", "layer 9, head 1: global", "layer 9, head 2: local"],
        ["layer 4, head 0: local", "", ""],
    ]
