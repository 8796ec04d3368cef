"""Checkpoints: only finished ones count, and the generation buffer comes back as it was."""

from pathlib import Path

import pytest
import torch

from rl.checkpoint import (
    checkpoint_step,
    load_generation_buffer,
    newest_checkpoint,
    resume_point,
    save_generation_buffer,
)


def make_checkpoint(run: Path, step: int, *, complete: bool = True) -> Path:
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"")
    if complete:
        save_generation_buffer(folder, 3, None)
    return folder


def test_the_newest_checkpoint_is_the_one_of_the_highest_step(tmp_path):
    # as text, checkpoint-9 would come after checkpoint-10
    for step in (2, 9, 10):
        make_checkpoint(tmp_path, step)
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert checkpoint_step(tmp_path / "checkpoint-10") == 10


def test_a_half_written_checkpoint_is_ignored(tmp_path):
    whole = make_checkpoint(tmp_path, 2)
    make_checkpoint(tmp_path, 4, complete=False)
    assert newest_checkpoint(tmp_path) == resume_point(tmp_path) == whole


def test_an_empty_run_has_no_checkpoint(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    with pytest.raises(ValueError, match=r"no complete checkpoint.*holds none.*start again without resume"):
        resume_point(tmp_path)


def test_unfinished_checkpoints_are_named(tmp_path):
    make_checkpoint(tmp_path, 4, complete=False)
    with pytest.raises(ValueError, match=r"holds only unfinished ones: checkpoint-4"):
        resume_point(tmp_path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"resume=.*nowhere: no complete checkpoint"):
        resume_point(tmp_path / "nowhere")


def test_the_generation_buffer_comes_back_bit_for_bit(tmp_path):
    # TRL shares the token count between batches, and its masks are views
    count = torch.tensor(37)
    rows = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    buffered = [
        {"advantages": part, "mask": (part > 0).t(), "num_items_in_batch": count, "num_images": None}
        for part in rows.chunk(2)
    ]
    save_generation_buffer(tmp_path, 6, buffered)
    micro_step, restored = load_generation_buffer(tmp_path, "cpu")
    assert micro_step == 6
    assert restored is not None
    for before, after in zip(buffered, restored, strict=True):
        assert after.keys() == before.keys() - {"num_images"}
        assert all(torch.equal(after[name], before[name]) for name in after)


def test_an_empty_buffer_comes_back_empty(tmp_path):
    save_generation_buffer(tmp_path, 0, None)
    assert load_generation_buffer(tmp_path, "cpu") == (0, None)


def test_the_buffer_s_order_survives_more_than_ten_batches(tmp_path):
    buffered = [{"index": torch.tensor([index])} for index in range(12)]
    save_generation_buffer(tmp_path, 0, buffered)
    _, restored = load_generation_buffer(tmp_path, "cpu")
    assert restored is not None
    assert [batch["index"].item() for batch in restored] == list(range(12))
