"""Atomic writes: a file or folder is complete or absent."""

import json

import pytest

from rl.common.atomic import atomic_folder, write_json, write_text


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


def test_atomic_folder__replaces_an_older_one(tmp_path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "old").touch()
    with atomic_folder(tmp_path / "adapter") as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [path.name for path in (tmp_path / "adapter").iterdir()] == ["new"]


def test_atomic_folder__a_failure_leaves_the_old_one_and_no_other(tmp_path):
    (tmp_path / "adapter").mkdir()
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "adapter") as temporary:
        temporary.mkdir()
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
