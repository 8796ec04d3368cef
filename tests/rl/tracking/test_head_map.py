"""The head map shows every head with a role in its layer's row and its own column."""

from html.parser import HTMLParser

from attention_probes.heads import HeadRoles
from rl.tracking.html import head_map_html


class Rows(HTMLParser):
    def __init__(self):
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append(dict(attrs).get("title", ""))


def test_heads_stand_in_their_layer_s_row_and_their_column():
    rows = Rows()
    rows.feed(head_map_html(HeadRoles(local_heads=((4, 0), (9, 2)), global_heads=((9, 1),))))
    assert rows.rows == [
        ["", "layer 9, head 1: global", "layer 9, head 2: local"],
        ["layer 4, head 0: local", "", ""],
    ]
