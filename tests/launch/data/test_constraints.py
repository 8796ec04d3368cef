"""`heed data constraints`: prompts are drawn into a file, and their counts come back."""

import pytest

from data.reading import read_problems
from launch.data.constraints import constraints_command


def drawn(tmp_path, **changes):
    settings = {"level": 2, "pattern": "listing", "num_problems": 4, "seed": 0, "output": tmp_path / "prompts.jsonl"}
    return constraints_command(**{**settings, **changes})


def test_constraints__are_drawn_into_a_file(tmp_path, capsys):
    result = drawn(tmp_path)
    problems = read_problems(result["file"])
    assert result["num_problems"] == 4 and result["levels"] == {"2": 4} and result["patterns"] == {"listing": 4}
    assert problems[0].messages[0]["content"].splitlines()[0] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "argument_error"),
    [
        ({"pattern": "lists"}, "unknown pattern 'lists'; there are listing, incorporation, example"),
        ({"split": "test"}, "unknown split 'test'"),
        ({"level": 5}, "level must be between 1 and 4"),
        ({"num_problems": 0}, "must be at least 1, got 0"),
    ],
)
def test_constraints__unknown_settings_are_refused(tmp_path, changes, argument_error):
    with pytest.raises(ValueError, match=argument_error):
        drawn(tmp_path, **changes)
