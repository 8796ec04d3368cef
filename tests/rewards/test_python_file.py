"""A user's file is a module like any other, wherever it lies and whatever it is called."""

import pickle
import sys

import pytest

from rewards.python_file import USER_FOLDERS, load_python_file

RECORD = """
from __future__ import annotations
from dataclasses import dataclass
from typing import get_type_hints

@dataclass
class Record:
    length: int

HINTS = get_type_hints(Record)
"""
OWN = """
import own_beside
import own_parts.part

class Mine:
    places = (own_beside.PLACE, own_parts.part.PLACE)
"""


@pytest.fixture(autouse=True)
def _clean_imports():
    """Leave neither modules nor folders of a test behind."""
    modules, path = dict(sys.modules), list(sys.path)
    yield
    sys.modules.clear()
    sys.modules.update(modules)
    sys.path[:] = path
    USER_FOLDERS.clear()


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_load_python_file__dataclass_pickles(tmp_path):
    module = load_python_file(written(tmp_path / "own_record.py", RECORD))
    assert {"length": int} == module.HINTS
    assert pickle.loads(pickle.dumps(module.Record(3))) == module.Record(3)


def test_load_python_file__two_functions_of_a_file_share_its_module(tmp_path):
    path = written(tmp_path / "own_counter.py", "seen = []\n")
    assert load_python_file(path) is load_python_file(path)
    path.write_text("seen = [1]\n")
    assert load_python_file(path).seen == [1]


def test_load_python_file__files_of_one_name_do_not_meet(tmp_path):
    for folder in ("here", "there"):
        written(tmp_path / folder / "own_beside.py", f"PLACE = {folder!r}\n")
        written(tmp_path / folder / "own_parts" / "__init__.py", "")
        written(tmp_path / folder / "own_parts" / "part.py", f"PLACE = {folder!r}\n")
        written(tmp_path / folder / "own.py", OWN)
    modules = [load_python_file(tmp_path / folder / "own.py") for folder in ("here", "there")]
    assert [module.Mine.places for module in modules] == [("here", "here"), ("there", "there")]
    assert [type(pickle.loads(pickle.dumps(module.Mine()))) for module in modules] == [m.Mine for m in modules]


def test_load_python_file__replaces_no_installed_module(tmp_path):
    import json

    import rewards

    for name in ("json", "rewards"):
        module = load_python_file(written(tmp_path / f"{name}.py", "HERE = True\nimport rewards.verdict\n"))
        assert module.HERE
        assert module.__name__ != name
    assert sys.modules["json"] is json
    assert sys.modules["rewards"] is rewards


def test_load_python_file__failed_file_is_no_module(tmp_path):
    path = written(tmp_path / "own_broken.py", "raise KeyError('colour')\n")
    for _ in range(2):
        with pytest.raises(KeyError, match="colour"):
            load_python_file(path)
    assert "own_broken" not in sys.modules
