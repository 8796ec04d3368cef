"""`heed probe baseline`: what is fitted on shuffled tokens is what shuffled tokens read."""

import pytest
import torch

from attention_probes.null_baseline import NullBaseline
from launch.probe.baseline import fit_baseline, shuffled
from launch.probe.calibration_texts import CalibrationTexts
from rl.config.credit import ProbeConfig
from rl.credit.reader import ProbeReader


def test_shuffling_keeps_tokens_padding_and_the_first():
    ids = torch.tensor([[0, 0, 5, 1, 2, 3, 4], [7, 1, 2, 3, 4, 5, 6]])
    real = ids != 0
    batch = shuffled(CalibrationTexts(ids=ids, real=real, written=real), seed=0)
    assert not torch.equal(batch.ids, ids)
    assert torch.equal(batch.ids.sort(dim=1).values, ids.sort(dim=1).values)
    assert torch.equal(batch.ids != 0, real)
    assert (batch.ids[0, 2], batch.ids[1, 0]) == (5, 7)


def test_the_fit_holds_on_other_shuffled_texts(tmp_path):
    out = tmp_path / "folder" / "baseline.safetensors"
    found = fit_baseline("tiny", out=out, num_prompts=32, max_new_tokens=12, horizon=(2, 8), window=4)
    for figures in found["held_out"].values():
        assert abs(figures["mean_residual"]) < 0.05 * figures["mean"]
        assert 0.0 < figures["explained"] < 1.0
    # and the training that it was made for takes it
    probe = ProbeConfig(baseline=out, horizon=(2, 8), window=4)
    assert ProbeReader(probe, readings="residual").baseline is not None
    assert NullBaseline.load(out).layers == tuple(found["layers"])


def test_too_few_texts_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 25"):
        fit_baseline("tiny", out=tmp_path / "baseline.safetensors", num_prompts=24, max_new_tokens=2)
