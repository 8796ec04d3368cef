"""Export folder: what the user has in a folder that an export names stays there."""

from pathlib import Path

import pytest

from rl.common.errors import UserError
from rl.common.export_folder import check_apart, export_folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A bundle in a run folder."""
    folder = tmp_path / "runs" / "a" / "bundle"
    folder.mkdir(parents=True)
    (folder / "routing.json").write_text("{}")
    return folder


def export(output: Path, source: Path, **files: str) -> None:
    with export_folder(output, source) as temporary:
        temporary.mkdir()
        for name, text in files.items():
            (temporary / name).write_text(text)


def refused(output: Path, source: Path, match: str) -> None:
    """Assert that an export is refused before its block, and that nothing on disk differs afterwards."""
    root = source.parents[2]
    before = sorted(root.rglob("*"))
    with pytest.raises(UserError, match=match), export_folder(output, source):
        pytest.fail("the block ran")
    assert before
    assert sorted(root.rglob("*")) == before


def test_export_folder__writes_new_and_empty_folders(source, tmp_path):
    (tmp_path / "empty").mkdir()
    for output in (tmp_path / "empty", tmp_path / "new" / "inner"):
        export(output, source, weights="1")
        assert sorted(path.name for path in output.iterdir()) == [".heed-files.json", "weights"]


def test_export_folder__replaces_an_earlier_export(source, tmp_path):
    export(tmp_path / "out", source, old="1", weights="1")
    export(tmp_path / "out", source, weights="22")
    assert (tmp_path / "out" / "weights").read_text() == "22"
    assert not (tmp_path / "out" / "old").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "runs"]


def test_export_folder__keeps_files_that_no_export_wrote(source, tmp_path):
    (tmp_path / "mine").mkdir()
    for name in "abcd":
        (tmp_path / "mine" / f"{name}.txt").write_text(name)
    refused(tmp_path / "mine", source, r"mine: it holds a\.txt, b\.txt, c\.txt and 1 more, which no export wrote")


@pytest.mark.parametrize("name", ["notes.txt", "weights"])
def test_export_folder__keeps_what_was_added_or_changed_in_an_export(source, tmp_path, name):
    export(tmp_path / "out", source, weights="1")
    (tmp_path / "out" / name).write_text("mine")
    refused(tmp_path / "out", source, f"it holds {name}, which no export wrote or which changed since; name a folder")


def test_export_folder__keeps_the_source_and_what_holds_it(source):
    for output in (source, source.parent, source.parents[1], source / ".."):
        refused(output, source, "bundle, which is to be exported")


def test_export_folder__keeps_the_working_folder(source, tmp_path, monkeypatch):
    (tmp_path / "work" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    refused(Path(), source, "it is or holds the folder that this command runs in")
    monkeypatch.chdir(source.parent)
    refused(Path(".."), source, "bundle, which is to be exported")


def test_export_folder__keeps_files_and_does_not_follow_links(source, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").write_text("mine")
    refused(tmp_path / "link", source, "it is a symbolic link to .*empty")
    refused(tmp_path / "dangling", source, "it is a symbolic link to nowhere")
    refused(tmp_path / "file", source, "it is a file")


def test_export_folder__keeps_what_came_while_it_was_written(source, tmp_path):
    with pytest.raises(UserError, match=r"it holds late\.txt"), export_folder(tmp_path / "out", source) as temporary:
        temporary.mkdir()
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "late.txt").write_text("mine")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["late.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "runs"]


def test_check_apart__refuses_the_file_that_is_read_under_any_name(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("mine")
    check_apart(tmp_path / "new.jsonl", rows, None, "owner/dataset")
    for output in (rows, tmp_path / "." / "rows.jsonl"):
        with pytest.raises(UserError, match=r"cannot write to .*: it is .*rows\.jsonl, which is read"):
            check_apart(output, None, str(rows))
