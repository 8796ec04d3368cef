"""`heed probe baseline`: a fit on shuffled tokens holds on other shuffled tokens."""

import pytest
import torch

from attention_probes.null_baseline import NullBaseline
from launch.probe.baseline import fit_baseline, shuffled
from launch.probe.calibration_texts import CalibrationTexts
from rl.config.credit import ProbeConfig
from rl.credit.reader import ProbeReader


def test_shuffled__keeps_tokens_padding_and_the_first():
    ids = torch.tensor([[0, 0, 5, 1, 2, 3, 4], [7, 1, 2, 3, 4, 5, 6]])
    real = ids != 0
    batch = shuffled(CalibrationTexts(ids=ids, real=real, completion=real), seed=0)
    assert not torch.equal(batch.ids, ids)
    assert torch.equal(batch.ids.sort(dim=1).values, ids.sort(dim=1).values)
    assert torch.equal(batch.ids != 0, real)
    assert (batch.ids[0, 2], batch.ids[1, 0]) == (5, 7)


def test_fit_baseline__holds_on_other_shuffled_texts(tmp_path):
    out = tmp_path / "folder" / "baseline.safetensors"
    result = fit_baseline("tiny", out=out, num_prompts=32, max_new_tokens=12, horizon=(2, 8), window=4)
    assert set(result["held_out"]) == {"fai", "waad"}
    for metrics in result["held_out"].values():
        assert abs(metrics["mean_residual"]) < 0.05 * metrics["mean"]
        assert 0.0 < metrics["explained"] < 1.0
    # and a training with the same probe settings loads it
    probe = ProbeConfig(baseline=out, horizon=(2, 8), window=4)
    assert ProbeReader(probe, readings="residual").baseline is not None
    assert NullBaseline.load(out).layers == tuple(result["layers"])


def test_fit_baseline__refuses_too_few_texts(tmp_path):
    with pytest.raises(ValueError, match="at least 25"):
        fit_baseline("tiny", out=tmp_path / "baseline.safetensors", num_prompts=24, max_new_tokens=2)
