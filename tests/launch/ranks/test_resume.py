"""A job that is started again resumes from its checkpoint, or starts afresh."""

import pytest

from launch.ranks.resume import load_or_resume, move_aside, restart_config
from launch.recipes import load_recipe
from rl.common.atomic import write_text
from rl.config.load import resolved_yaml
from rl.runs.checkpoint import mark_complete
from rl.runs.lock import run_lock


def start(folder):
    """Write what a run leaves before its first checkpoint."""
    write_text(folder / "config.yaml", resolved_yaml(load_recipe("tiny", [f"run.folder={folder}"])))


def test_load_or_resume__a_first_start_is_the_recipe(tmp_path):
    overrides = [f"run.folder={tmp_path}/run"]
    assert load_or_resume("tiny", overrides) == load_recipe("tiny", overrides)


def test_load_or_resume__resumes_from_a_complete_checkpoint(tmp_path):
    folder = tmp_path / "run"
    start(folder)
    write_text(folder / "checkpoint-2" / "optimizer.pt", "state")
    mark_complete(folder / "checkpoint-2")
    resumed = load_or_resume("tiny", [f"run.folder={folder}"])
    assert (resumed.resume, resumed.run.accept_changed_code) == (folder, False)
    accepting = load_or_resume("tiny", [f"run.folder={folder}", "run.accept_changed_code=true"])
    assert (accepting.resume, accepting.run.accept_changed_code) == (folder, True)


def test_load_or_resume__applies_what_a_resume_may_change_and_refuses_the_rest_by_name(tmp_path):
    folder = tmp_path / "run"
    start(folder)
    write_text(folder / "checkpoint-2" / "optimizer.pt", "state")
    mark_complete(folder / "checkpoint-2")
    longer = load_or_resume("tiny", [f"run.folder={folder}", "trainer.max_steps=9", "rollouts.workers=2"])
    assert (longer.resume, longer.trainer.max_steps, longer.rollouts.workers) == (folder, 9, 2)
    with pytest.raises(ValueError) as refused:
        load_or_resume("tiny", [f"run.folder={folder}", "lora.r=32", "trainer.seed=5", "trainer.max_steps=9"])
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()[:-1]] == ["trainer.seed", "lora.r"]


def test_load_or_resume__finds_a_run_whose_folder_was_moved(tmp_path):
    start(tmp_path / "old")
    write_text(tmp_path / "old" / "checkpoint-2" / "optimizer.pt", "state")
    mark_complete(tmp_path / "old" / "checkpoint-2")
    folder = (tmp_path / "old").rename(tmp_path / "new")
    assert load_or_resume("tiny", [f"run.folder={folder}"]).resume == folder


def test_restart_config__settings_changed_by_a_resume_stay_changed(tmp_path):
    folder = tmp_path / "run"
    start(folder)
    write_text(folder / "checkpoint-2" / "optimizer.pt", "state")
    mark_complete(folder / "checkpoint-2")
    resumed = load_recipe(str(folder / "config.yaml"), [f"resume={folder}", "trainer.max_steps=9"])
    assert restart_config(resumed, folder) == resumed


def test_restart_config__resumes_from_a_checkpoint_or_starts_afresh(tmp_path):
    folder = tmp_path / "run"
    fresh = load_recipe("tiny", [f"run.folder={folder}"])
    start(folder)
    assert restart_config(fresh, folder) == fresh and not folder.exists()
    start(folder)
    write_text(folder / "checkpoint-2" / "optimizer.pt", "state")
    mark_complete(folder / "checkpoint-2")
    assert restart_config(fresh, folder).resume == folder


def test_move_aside__takes_the_next_free_name(tmp_path):
    folder = tmp_path / "run"
    for number in (1, 2):
        start(folder)
        assert load_or_resume("tiny", [f"run.folder={folder}"]).resume is None
        move_aside(folder)
        assert not folder.exists()
        assert (tmp_path / f"run.unfinished-{number}" / "config.yaml").exists()


def test_load_or_resume__needs_a_run_folder(tmp_path):
    with pytest.raises(ValueError, match="--or-resume needs run"):
        load_or_resume("tiny", [])


def test_a_run_that_still_goes_on_is_not_moved_aside(tmp_path):
    folder = tmp_path / "run"
    start(folder)
    with run_lock(folder), pytest.raises(ValueError, match="run is in use by process "):
        move_aside(folder)
    assert (folder / "config.yaml").exists()
