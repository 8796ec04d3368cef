"""Fixtures of the bench tests: a random model in place of the pretrained one, which takes minutes to make."""

import pytest

import launch.bench.tasks
from launch.bench.chain_model import chain_model, character_tokenizer


@pytest.fixture
def untrained(tmp_path, monkeypatch):
    """Make every arm start from a random model, saved for this test alone."""
    folder = tmp_path / "model"
    chain_model(seed=0).save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    monkeypatch.setattr(launch.bench.tasks, "pretrained_model", lambda *exercise, **seed: folder)
