"""Credit on a GPU: no tensor of another device is mixed in, and nothing waits for a value.

Meta tensors refuse both: operations with a CPU tensor, and questions after a value.
"""

import pytest
import torch
from torch import Tensor

from data.problems import Problem
from rl.config.credit import CreditConfig, ProbeConfig
from rl.config.credit_rules import CREDIT_RULES
from rl.config.rewards import RewardsConfig
from rl.credit.assigner import CreditAssigner
from rl.credit.channels import reward_scaling
from rl.credit.columns import batch_inputs, batch_spans, channel_column, trained_tokens
from rl.credit.inputs import CreditInputs, Evidence
from rl.rollouts.off_policy import OffPolicyCorrection
from rl.runs.jsonl import JsonlFile
from rl.runs.rollout_recorder import RolloutRecorder
from rl.scoring.scorer import ScoredCompletion
from rl.tracking.metrics import fetch_metrics

ROWS, CONSTRAINTS, PROMPT, TOKENS = 4, 2, 5, 7
RULES = sorted(CREDIT_RULES)


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, device="meta", dtype=dtype)


def meta_inputs() -> CreditInputs:
    reading = meta(ROWS, TOKENS)
    evidence = Evidence(
        tokens=meta(ROWS, CONSTRAINTS, TOKENS, dtype=torch.bool),
        failed=meta(ROWS, CONSTRAINTS, dtype=torch.bool),
        attention=meta(ROWS, CONSTRAINTS, TOKENS),
    )
    mask = meta(ROWS, TOKENS, dtype=torch.bool)
    return CreditInputs(mask=mask, entropy=reading, fai=reading, waad=reading, evidence=evidence)


def meta_batch() -> dict[str, object]:
    return {
        "completion_ids": meta(ROWS, TOKENS, dtype=torch.long),
        "completion_mask": meta(ROWS, TOKENS, dtype=torch.long),
        "prompt_mask": meta(ROWS, PROMPT, dtype=torch.long),
        "evidence_tokens": meta(ROWS, CONSTRAINTS, TOKENS, dtype=torch.bool),
        "evidence_passages": meta(ROWS, CONSTRAINTS, PROMPT, dtype=torch.bool),
        "constraint_satisfied": meta(ROWS, CONSTRAINTS),
        "sampling_per_token_logps": meta(ROWS, TOKENS),
        "advantages": meta(ROWS, TOKENS),
        "row": list(range(ROWS)),
        "staleness": [0, 1, 0, 1],
    }


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("enabled", [True, False])
def test_assign__waits_for_no_value(rule, enabled):
    punctuation = torch.zeros(50, dtype=torch.bool, device="meta")
    settings, probe = CreditConfig(rule=rule, base="coupled"), ProbeConfig(listen="always")
    assigner = CreditAssigner(settings, probe, seed=0, punctuation=punctuation)
    assigner.rule_enabled = enabled
    inputs, ids = meta_inputs(), meta(ROWS, TOKENS, dtype=torch.long)
    channels = assigner.weights(inputs, step=0, micro_step=0).shape[1]
    assigned = assigner.assign(inputs, meta(ROWS, channels), ids, step=0, micro_step=0)
    assert assigned.advantages.shape == assigned.shares.shape == (ROWS, TOKENS)
    measured = [value for value in assigned.metrics.values() if isinstance(value, Tensor)]
    assert len(measured) == 11 and all(value.is_meta and value.dim() == 0 for value in measured)


def test_batch_columns__are_on_one_device():
    batch = meta_batch()
    inputs = batch_inputs(batch, meta(ROWS, TOKENS), None)
    assert inputs.evidence is not None and inputs.evidence.failed.is_meta
    spans = batch_spans(batch)
    assert spans is not None and spans.is_meta
    assert trained_tokens(batch).is_meta


@pytest.mark.parametrize("satisfaction", ["mean", "all", "count", "graded"])
@pytest.mark.parametrize("scale_rewards", ["group", "batch", "none"])
def test_channel_column__is_on_the_batchs_device(satisfaction, scale_rewards):
    weights, rewards = meta(2), meta(ROWS, 2)
    scaling = reward_scaling(
        rewards, weights, num_generations=2, scale_rewards=scale_rewards, normalize_each=False
    ).rows(0, ROWS)
    batch = meta_batch() | {"advantages": meta(ROWS)}
    settings = RewardsConfig(satisfaction=satisfaction)
    problem = Problem(problem_id="1", messages=({"role": "user", "content": "Hello"},), constraints=())
    scored = [ScoredCompletion(problem=problem, text="Hello.", verdicts=())] * ROWS
    if satisfaction == "graded":  # the scores of verdicts are filled in on the host
        with pytest.raises((NotImplementedError, RuntimeError), match="meta tensor"):
            channel_column(batch, scored, meta(ROWS), scaling, weight=1.0, rewards=settings, num_generations=2)
        return
    column = channel_column(batch, scored, meta(ROWS), scaling, weight=1.0, rewards=settings, num_generations=2)
    assert column["channel_advantages"].is_meta and column["channel_advantages"].shape == (ROWS, 1 + CONSTRAINTS)


@pytest.mark.parametrize("mode", ["token_truncate", "sequence_mask", "none"])
def test_correction__waits_for_no_value(mode):
    correction, batch = OffPolicyCorrection(mode=mode, cap=3.0), meta_batch()
    changes, metrics = correction.apply(batch, meta(ROWS, TOKENS), loss_type="dapo")
    assert changes["advantages"].is_meta and all(value.is_meta for value in metrics.values())


def test_recorder__waits_for_no_value_before_the_batch_is_complete(tmp_path):
    recorder = RolloutRecorder(JsonlFile(tmp_path / "rollouts.jsonl"), num_generations=2)
    recorder.begin_batch(1, [], [[7, 8]] * ROWS, [0.0, 1.0, 1.0, 0.0])
    reading, attention = meta(2, TOKENS), meta(2, CONSTRAINTS, TOKENS)
    recorder.record([0, 3], meta(2), {"weights": reading, "mask": reading > 0}, attention)
    # the second half completes it, and only now is something to be fetched
    with pytest.raises((NotImplementedError, RuntimeError), match="meta tensor"):
        recorder.record([1, 2], meta(2), {"weights": reading, "mask": reading > 0}, attention)


def test_fetch_metrics__brings_all_values_in_one_transfer():
    nan, one, half = torch.tensor(torch.nan), torch.tensor(1.0), torch.tensor(0.5)
    metrics = {"a": [one, 2.0, half], "b": [nan], "c": [nan, half], "d": [float("nan")]}
    fetch_metrics(metrics)
    # nothing was measured for b; what others put in as a number stays, NaN too
    assert metrics.keys() == {"a", "c", "d"}
    assert metrics["a"] == [1.0, 2.0, 0.5] and metrics["c"] == [0.5] and len(metrics["d"]) == 1
