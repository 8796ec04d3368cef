"""Checkpoints: only complete, undamaged ones count, and a full disk is named."""

import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rl.common.errors import RunFailure
from rl.runs.checkpoint import checkpoint_step, mark_complete, newest_checkpoint, remove_old, resume_point, saving


def make_checkpoint(run: Path, step: int, *, complete: bool = True) -> Path:
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"")
    if complete:
        mark_complete(folder)
    return folder


def test_newest_checkpoint__has_the_highest_step(tmp_path):
    # as text, checkpoint-9 would come after checkpoint-10
    for step in (2, 9, 10):
        make_checkpoint(tmp_path, step)
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert checkpoint_step(tmp_path / "checkpoint-10") == 10


def test_newest_checkpoint__ignores_an_unfinished_one(tmp_path):
    whole = make_checkpoint(tmp_path, 2)
    make_checkpoint(tmp_path, 4, complete=False)
    assert newest_checkpoint(tmp_path) == resume_point(tmp_path) == whole


def test_resume_point__of_an_empty_run_is_an_error(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    with pytest.raises(ValueError, match=r"no complete checkpoint.*holds none.*start again without resume"):
        resume_point(tmp_path)


def test_resume_point__names_unfinished_checkpoints(tmp_path):
    make_checkpoint(tmp_path, 4, complete=False)
    with pytest.raises(ValueError, match=r"holds only unfinished or damaged ones: checkpoint-4"):
        resume_point(tmp_path)


def test_resume_point__of_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"resume=.*nowhere: no complete checkpoint"):
        resume_point(tmp_path / "nowhere")


@pytest.mark.parametrize("harm", ["change", "remove", "mark"])
def test_resume_point__passes_over_a_damaged_checkpoint_with_a_warning(harm, tmp_path, caplog):
    older, newer = make_checkpoint(tmp_path, 2), make_checkpoint(tmp_path, 4)
    match harm:
        case "change":
            (newer / "adapter_model.safetensors").write_bytes(b"x")
        case "remove":
            (newer / "adapter_model.safetensors").unlink()
        case "mark":
            (newer / "complete.json").write_text('{"micro_st')
    assert resume_point(tmp_path) == older
    assert f"{newer} is damaged" in caplog.text
    assert "falling back to the one before it" in caplog.text


def test_resume_point__names_damaged_checkpoints(tmp_path):
    (make_checkpoint(tmp_path, 2) / "adapter_model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"holds only unfinished or damaged ones: checkpoint-2"):
        resume_point(tmp_path)


def test_remove_old__keeps_the_newest_complete_ones(tmp_path):
    for step in (2, 9, 10):
        make_checkpoint(tmp_path, step)
    make_checkpoint(tmp_path, 4, complete=False)
    make_checkpoint(tmp_path, 12, complete=False)
    remove_old(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-12", "checkpoint-9"]


def test_remove_old__an_unfinished_checkpoint_costs_no_complete_one(tmp_path):
    make_checkpoint(tmp_path, 2)
    make_checkpoint(tmp_path, 4, complete=False)
    remove_old(tmp_path, 1)
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-2"


def test_saving__names_a_full_disk_and_leaves_no_partial_checkpoint(tmp_path):
    # what a write really raises when there is no room: this device never has any
    folder = make_checkpoint(tmp_path, 2, complete=False)
    message = r"the disk is full: checkpoint-2 could not be written.*save_total_limit"
    with pytest.raises(RunFailure, match=message), saving(folder), open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")
    assert not folder.exists()


def test_saving__a_quota_is_a_full_disk_too(tmp_path):
    # safetensors raises an error of its own; files of more than 4 kB cannot be written while the limit holds
    folder, limits = make_checkpoint(tmp_path, 2, complete=False), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(RunFailure, match="the disk is full: checkpoint-2"), saving(folder):
            save_file({"advantages": torch.zeros(4096)}, folder / "state.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not folder.exists()


def test_saving__another_error_is_raised_as_it_is(tmp_path):
    folder = make_checkpoint(tmp_path, 2, complete=False)
    with pytest.raises(ZeroDivisionError), saving(folder):
        _ = 1 / 0
    assert not folder.exists()
