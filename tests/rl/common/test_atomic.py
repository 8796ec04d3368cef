"""Atomic writes: a file is there whole or not at all."""

import json

import pytest

from rl.common.atomic import write_json, write_text


def test_folders_on_the_way_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "note.txt", "grüß")
    assert (tmp_path / "a" / "b" / "note.txt").read_text(encoding="utf-8") == "grüß"


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "note.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    assert path.read_text() == "old"


def test_nothing_else_is_left_in_the_folder(tmp_path):
    write_json(tmp_path / "value.json", {"é": [1, None]})
    assert [path.name for path in tmp_path.iterdir()] == ["value.json"]
    assert json.loads((tmp_path / "value.json").read_text(encoding="utf-8")) == {"é": [1, None]}
