"""Plugins: files named by path are copied into the run, and errors name the setting that names them."""

import pytest

from rl.common.plugins import add_copy, copy_into_run, load_function, newest_copy


def test_load_function__from_its_file(tmp_path):
    (tmp_path / "mine.py").write_text("def double(x):\n    return 2 * x\n")
    assert load_function(f"{tmp_path}/mine.py:double", key="credit.rule")(3) == 6


def test_load_function__names_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"credit\.rule: no file .*none\.py.*write path/to/file\.py:function"):
        load_function(f"{tmp_path}/none.py:double", key="credit.rule")


def test_load_function__names_a_missing_function(tmp_path):
    (tmp_path / "mine.py").write_text("whispering = 3\n")
    for name in ("shouting", "whispering"):
        with pytest.raises(ValueError, match=f"mine.py has no function '{name}'"):
            load_function(f"{tmp_path}/mine.py:{name}", key="rewards.functions")


def test_copy_into_run__a_run_keeps_the_file_it_began_with(tmp_path):
    original, run = tmp_path / "mine.py", tmp_path / "run"
    original.write_text("first")
    copy = copy_into_run(original, run, key="credit.rule")
    original.write_text("second")
    assert copy_into_run(original, run, key="credit.rule") == copy
    assert copy.read_text() == "first"
    original.unlink()
    assert copy_into_run(original, run, key="credit.rule") == copy


def test_copy_into_run__files_of_the_same_name_get_separate_copies(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.json").write_text(name)
    copies = [copy_into_run(tmp_path / name / "mine.json", tmp_path / "run", key="k") for name in ("here", "there")]
    assert [copy.read_text() for copy in copies] == ["here", "there"]


def test_copy_into_run__names_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"probe\.roles: there is no file .*roles\.json"):
        copy_into_run(tmp_path / "roles.json", tmp_path, key="probe.roles")


def test_copies_of_a_changed_file__stand_beside_each_other(tmp_path):
    original, run = tmp_path / "mine.py", tmp_path / "run"
    assert newest_copy(original, run) is None
    for text in ("first", "second", "third"):
        original.write_text(text)
        assert add_copy(original, run) == newest_copy(original, run) == copy_into_run(original, run, key="credit.rule")
    names = sorted(path.name.rpartition("__")[2] for path in (run / "custom").iterdir())
    assert names == ["mine.2.py", "mine.3.py", "mine.py"]
    assert copy_into_run(original, run, key="credit.rule").read_text() == "third"
