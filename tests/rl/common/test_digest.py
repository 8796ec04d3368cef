"""Digests: of content, of samples of large content, and of the files that make a model."""

import hashlib
from pathlib import Path

from rl.common.digest import file_digest, model_digests, sampled_digest


def sampled(path: Path) -> str:
    return sampled_digest(path, block=2, blocks=3)


def test_sampled_digest__of_a_small_file_is_its_content_s(tmp_path):
    path = tmp_path / "small"
    path.write_bytes(b"abcdef")
    assert sampled(path) == file_digest(path) == hashlib.sha256(b"abcdef").hexdigest()


def test_sampled_digest__reads_the_size_and_blocks_from_the_first_to_the_last(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(b"0123456789")
    # three blocks of 2 of 10 bytes, at 0, 8 * 1 // 2 = 4 and 8
    assert sampled(path) == hashlib.sha256(b"10" + b"01" + b"45" + b"89").hexdigest()


def test_model_digests__leave_out_what_decides_no_answer(tmp_path):
    for name in ("config.json", "model.safetensors", "chat_template.jinja", "README.md", "logo.png"):
        (tmp_path / name).write_text(name)
    (tmp_path / "folder.json").mkdir()
    assert list(model_digests(tmp_path)) == ["chat_template.jinja", "config.json", "model.safetensors"]
