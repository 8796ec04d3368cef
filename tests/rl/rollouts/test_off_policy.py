"""Off-policy correction: ratios worked out by hand, reused over iterations, and no change where nothing is stale."""

from math import isnan, log
from typing import Any

import pytest
import torch
from torch import Tensor, tensor

from rl.rollouts.off_policy import OffPolicyCorrection, correction_metrics, importance_ratios

# Ratios of learner to sampler: 2 and 0.5 in the first row, 5 and (masked) 7 in the second.
LEARNER = tensor([[log(0.4), log(0.1)], [log(0.5), log(0.7)]])
SAMPLER = tensor([[log(0.2), log(0.2)], [log(0.1), log(0.1)]])
MASK = tensor([[True, True], [True, False]])


def ratios(mode: str, cap: float = 3.0) -> Tensor:
    return importance_ratios(LEARNER, SAMPLER, MASK, mode=mode, cap=cap)


def near(expected: list[list[float]]):
    return pytest.approx(torch.tensor(expected), abs=1e-6)


def test_importance_ratios__token_truncate_caps_each_token():
    assert ratios("token_truncate") == near([[2.0, 0.5], [3.0, 1.0]])


def test_importance_ratios__sequence_mask_drops_completions_above_the_cap():
    # 2 x 0.5 = 1; 5 is above 3
    assert ratios("sequence_mask") == near([[1.0, 1.0], [0.0, 0.0]])
    assert ratios("sequence_mask", cap=6.0) == near([[1.0, 1.0], [5.0, 5.0]])


def test_importance_ratios__none_is_one():
    assert ratios("none").tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_importance_ratios__carry_no_gradient():
    learner = LEARNER.clone().requires_grad_()
    assert not importance_ratios(learner, SAMPLER, MASK, mode="token_truncate", cap=3.0).requires_grad


def make_batch(staleness: list[int]) -> dict[str, Any]:
    return {
        "row": [4, 9],
        "staleness": staleness,
        "completion_mask": MASK.int(),
        "sampling_per_token_logps": SAMPLER,
        "advantages": tensor([[1.0, -1.0], [2.0, 2.0]]),
    }


def test_apply__weighs_stale_rows_only():
    correction = OffPolicyCorrection(mode="token_truncate", cap=3.0)
    changes, _ = correction.apply(make_batch([0, 1]), LEARNER, loss_type="dapo")
    assert changes.keys() == {"advantages"}
    assert changes["advantages"] == near([[1.0, -1.0], [6.0, 2.0]])


def test_apply__at_staleness_0_measures_and_changes_nothing():
    changes, metrics = OffPolicyCorrection(mode="token_truncate", cap=3.0).apply(
        make_batch([0, 0]), LEARNER, loss_type="dapo"
    )
    assert changes == {}
    assert metrics["sync/logp_gap_max"] == pytest.approx(log(5.0))
    assert metrics["sync/ratio_max"] == metrics["sync/ratio_min"] == 1.0


def test_apply__gives_vespo_the_ratio_itself():
    changes, _ = OffPolicyCorrection(mode="token_truncate", cap=3.0).apply(
        make_batch([1, 1]), LEARNER, loss_type="vespo"
    )
    assert changes.keys() == {"importance_sampling_ratio"}
    assert changes["importance_sampling_ratio"] == near([[2.0, 0.5], [3.0, 1.0]])


def test_apply__reuses_a_row_s_first_ratio_until_the_next_batch():
    correction = OffPolicyCorrection(mode="token_truncate", cap=3.0)
    first, _ = correction.apply(make_batch([1, 1]), LEARNER, loss_type="dapo")
    later, _ = correction.apply(make_batch([1, 1]), SAMPLER, loss_type="dapo")
    assert torch.equal(first["advantages"], later["advantages"])
    resumed = OffPolicyCorrection(mode="token_truncate", cap=3.0)
    resumed.restore(correction.state())
    after_resume, _ = resumed.apply(make_batch([1, 1]), SAMPLER, loss_type="dapo")
    assert torch.equal(first["advantages"], after_resume["advantages"])
    correction.start_batch()
    fresh, _ = correction.apply(make_batch([1, 1]), SAMPLER, loss_type="dapo")
    assert torch.equal(fresh["advantages"], make_batch([1, 1])["advantages"])


def test_correction_metrics__leave_out_padding():
    metrics = correction_metrics(LEARNER, SAMPLER, MASK, ratios("token_truncate"))
    # |log 2|, |log 0.5| and |log 5|
    assert metrics["sync/logp_gap_mean"] == pytest.approx((2 * log(2.0) + log(5.0)) / 3)
    assert metrics["sync/ratio_mean"] == pytest.approx((2.0 + 0.5 + 3.0) / 3)


def test_correction_metrics__are_nan_where_all_is_masked():
    metrics = correction_metrics(LEARNER, SAMPLER, MASK & False, ratios("token_truncate"))
    assert len(metrics) == 5 and all(isnan(value) for value in metrics.values())


def test_apply__weighs_rows_whose_prompt_a_sparse_plan_read():
    correction = OffPolicyCorrection(mode="token_truncate", cap=3.0)
    changes, _ = correction.apply({**make_batch([0, 0]), "plan": ["", "hip"]}, LEARNER, loss_type="dapo")
    assert changes["advantages"] == near([[1.0, -1.0], [6.0, 2.0]])
