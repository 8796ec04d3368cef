"""Atomic writes: a file is complete or absent."""

import json

import pytest

from rl.common.atomic import write_json, write_text


def test_write_text__makes_missing_folders(tmp_path):
    write_text(tmp_path / "a" / "b" / "note.txt", "grüß")
    assert (tmp_path / "a" / "b" / "note.txt").read_text(encoding="utf-8") == "grüß"


def test_write_text__a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "note.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    assert path.read_text() == "old"


def test_write_json__leaves_no_other_file(tmp_path):
    write_json(tmp_path / "value.json", {"é": [1, None]})
    assert [path.name for path in tmp_path.iterdir()] == ["value.json"]
    assert json.loads((tmp_path / "value.json").read_text(encoding="utf-8")) == {"é": [1, None]}
