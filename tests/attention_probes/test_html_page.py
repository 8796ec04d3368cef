"""Pages and plots: one file without network, valid whatever the tokens contain."""

import json
import math
import re
from typing import Any

import pytest

from attention_probes.html_page import ConstraintCurve, ProbePage, TokenReading, render_page
from attention_probes.plots import constraint_plot, head_plot, rhythm_plot


def make_page(**changes: Any) -> ProbePage:
    fields: dict[str, Any] = {
        "title": "tiny",
        "tokens": ("Say", " hi", " </script><b>", "hi"),
        "num_prompt_tokens": 2,
        "readings": (TokenReading(name="FAI", meaning="Influence.", values=(0.5, 0.1, math.nan, 0.0)),),
        "marks": {"preplan": (2,), "anchors": (2, 3)},
        "layers": (1, 2),
        "constraints": (ConstraintCurve(name="be brief", values=(1.5, math.nan), mean=1.5, attended=True),),
        "head_spans": ((1.0, 2.0), (3.0, 4.0)),
        "local_heads": ((1, 0),),
        "global_heads": ((2, 1),),
    }
    return ProbePage(**(fields | changes))


def data_of(html: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert match is not None
    return json.loads(match.group(1))


def test_render_page__holds_its_data_whatever_the_tokens_contain():
    data = data_of(render_page(make_page()))
    assert data["tokens"] == ["Say", " hi", " </script><b>", "hi"]
    assert data["readings"][0]["values"] == [0.5, 0.1, None, 0.0]
    assert data["global_heads"] == [[2, 1]]


def test_render_page__needs_no_network():
    html = render_page(make_page())
    addresses = re.findall(r"https?://[^\s\"']+", html)
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "src=" not in html and "@import" not in html and "<link" not in html


def test_probe_page__refuses_a_reading_of_another_length():
    with pytest.raises(ValueError, match="FAI has 1 values for 4 tokens"):
        make_page(readings=(TokenReading(name="FAI", meaning="", values=(0.5,)),))


def test_plots__show_what_the_page_shows():
    page = make_page()
    rhythm = rhythm_plot(page)
    assert [axes.get_ylabel() for axes in rhythm.axes] == ["FAI"]
    assert {text.get_text() for text in rhythm.axes[0].get_legend().get_texts()} == {"preplan", "anchors"}
    curves = constraint_plot(page.constraints).axes[0]
    assert [line.get_label() for line in curves.lines[1:]] == ["be brief"]
    heads = head_plot(page).axes[0]
    assert [(text.get_text(), text.get_position()) for text in heads.texts] == [("l", (0, 0)), ("g", (1, 1))]


def test_rhythm_plot__names_tokens_if_few_whatever_they_contain(tmp_path):
    few = rhythm_plot(make_page(tokens=("Say", " hi", "$x_$\n", "\u6771")))
    assert [label.get_text() for label in few.axes[0].get_xticklabels()] == ["$x_$\\n", "\\u6771"]
    few.savefig(tmp_path / "few.png")
    many = TokenReading(name="FAI", meaning="", values=(0.5,) * 100)
    crowd = rhythm_plot(make_page(tokens=("$",) * 100, readings=(many,)))
    assert crowd.axes[0].get_xlabel() == "token"


def test_plots__can_be_saved(tmp_path):
    page = make_page()
    for number, figure in enumerate((rhythm_plot(page), constraint_plot(()), head_plot(page))):
        figure.savefig(tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").stat().st_size > 1000
