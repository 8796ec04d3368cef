"""The null baseline: residuals of texts without content are zero on average."""

import pytest
import torch

from attention_probes.heads import HeadRoles
from attention_probes.null_baseline import NullBaseline, NullBaselineFitter, buckets, role_mean
from attention_probes.record import ProbePlan, record_attention
from attention_probes.recorder import Readings
from tests.attention_probes.tiny_decoders import padded_batch, tiny_model

PLAN = ProbePlan(layers=(1, 2), horizon=(2, 12), per_head=True)


def shuffled_readings(seed: int) -> Readings:
    """Eight rows of random tokens, which is what shuffling leaves of a text."""
    with torch.no_grad(), record_attention(tiny_model("llama"), PLAN) as recorder:
        tiny_model("llama")(**padded_batch(40, [(row, 7 - row) for row in range(8)], seed=seed))
    return recorder.read()


@pytest.fixture(scope="module")
def baseline() -> NullBaseline:
    fitter = NullBaselineFitter(PLAN)
    for seed in range(12):
        fitter.update(shuffled_readings(seed))
    return fitter.baseline()


def test_residuals__are_near_zero_on_fresh_shuffled_tokens(baseline):
    # Fresh rows, so the mean may miss zero by its own standard error: tokens of one row are not independent, hence 3 of
    # (spread / root of the number of rows), the most cautious count.
    readings = [shuffled_readings(seed) for seed in range(100, 106)]
    for index, raw_name in enumerate(("fai", "waad")):
        residual = torch.stack([baseline.residuals(reading)[index] for reading in readings])
        raw = torch.stack([getattr(reading.heads, raw_name) for reading in readings])
        mean = residual.mean(dim=(0, 2, 4))
        assert (mean.abs() < 3 * residual.std(dim=(0, 2, 4)) / 48**0.5).all()
        assert (mean.abs() < 0.1 * raw.mean(dim=(0, 2, 4))).all()


def test_residuals__of_the_calibration_set_are_zero_in_every_bucket():
    readings = shuffled_readings(0)
    fitter = NullBaselineFitter(PLAN)
    fitter.update(readings)
    bucket = buckets(readings.real, PLAN.horizon)
    for residual in fitter.baseline().residuals(readings):
        for index in bucket[readings.real].unique():
            inside = (bucket == index) & readings.real
            assert residual.permute(0, 2, 1, 3)[..., inside].mean(dim=-1).abs().max() < 1e-5


def test_residuals__are_zero_in_buckets_never_calibrated(baseline):
    unknown = NullBaseline(
        layers=baseline.layers,
        horizon=baseline.horizon,
        window=baseline.window,
        mean=torch.full_like(baseline.mean, torch.nan),
    )
    fai, waad = unknown.residuals(shuffled_readings(0))
    assert not fai.any() and not waad.any()


def test_null_baseline__survives_saving(baseline, tmp_path):
    baseline.save(tmp_path / "null.safetensors")
    loaded = NullBaseline.load(tmp_path / "null.safetensors")
    assert (loaded.layers, loaded.horizon, loaded.window) == (baseline.layers, baseline.horizon, baseline.window)
    assert torch.equal(loaded.mean.nan_to_num(), baseline.mean.nan_to_num())


def test_null_baseline__refuses_readings_without_heads_and_of_other_layers(baseline):
    readings = shuffled_readings(0)
    without_heads = Readings(layers=(1, 2), real=readings.real, waad=readings.waad, fai=readings.fai)
    with pytest.raises(ValueError, match="per_head=True"):
        baseline.residuals(without_heads)
    other = Readings(layers=(0,), real=readings.real, waad=readings.waad, fai=readings.fai)
    with pytest.raises(ValueError, match=r"layers \(1, 2\)"):
        baseline.residuals(other)
    with pytest.raises(ValueError, match="at least one text"):
        NullBaselineFitter(PLAN).baseline()


def test_buckets__follow_position_and_fill():
    # Positions 1 2 3 4 -> half octaves 0 2 3 4; of the two tokens 1 to 2 ahead there are 2 2 1 0 -> fills 4 4 2 0.
    real = torch.tensor([[True, True, True, True, False]])
    assert buckets(real, (1, 2))[0, :4].tolist() == [0 * 5 + 4, 2 * 5 + 4, 3 * 5 + 2, 4 * 5 + 0]


def test_role_mean__takes_the_roles_heads_only():
    values = torch.arange(4.0).reshape(2, 1, 2, 1)  # layers 3 and 8, heads 0 and 1: 0 1 | 2 3
    roles = HeadRoles(local_heads=((3, 1), (8, 0)), global_heads=((8, 1),))
    assert role_mean(values, (3, 8), roles.local_heads).item() == 1.5
