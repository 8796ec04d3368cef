"""Cache: each folder is built once, and complete or absent."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rl.common.cache import build_once, cache_root


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HEED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(text: str):
    def build(folder: Path) -> None:
        assert list(folder.iterdir()) == []
        (folder / "file").write_text(text)

    return build


def fail(folder: Path) -> None:
    (folder / "half").write_text("half")
    raise RuntimeError("disk full")


def test_cache_root__is_where_the_environment_says(cache, monkeypatch):
    assert cache_root() == cache
    monkeypatch.setenv("HEED_CACHE", "")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_root() == Path("/home/someone/.cache/heed")


def test_build_once__does_not_build_again(cache):
    assert build_once("model", write("first")) == cache / "model"
    build_once("model", write("second"))
    assert (cache / "model" / "file").read_text() == "first"


def test_build_once__a_failure_leaves_no_folder_and_the_next_build_starts_empty(cache):
    with pytest.raises(RuntimeError, match="disk full"):
        build_once("model", fail)
    assert not (cache / "model").exists()
    build_once("model", write("whole"))
    assert [path.name for path in (cache / "model").iterdir()] == ["file"]


def test_build_once__a_killed_build_leaves_no_folder(cache):
    program = """
import os, signal
from rl.common.cache import build_once
def build(folder):
    (folder / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
build_once("model", build)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert not (cache / "model").exists()
    build_once("model", write("whole"))
    assert [path.name for path in (cache / "model").iterdir()] == ["file"]


def test_build_once__simultaneous_callers_build_once():
    built = []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "file").write_text("whole")

    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: build_once("model", build), range(4)))
    assert len(built) == 1
    assert len(set(folders)) == 1
