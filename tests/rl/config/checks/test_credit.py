"""Contradictions of credit: each names both keys and the fix."""

import pytest

from rl.config.checks.general import contradictions
from rl.config.root import Config
from tests.rl.config_fixtures import problems

PAIRS = {"algorithm": "dpo", "data": {"path": "pairs.jsonl"}}


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (
            {"credit": {"readings": "residual"}},
            "credit.readings=residual needs a null baseline to subtract; set probe.baseline, or readings=raw",
        ),
        (
            {"probe": {"baseline": "null.safetensors"}},
            "probe.baseline=null.safetensors is not used by credit.readings=raw; set readings=residual, or drop it",
        ),
        (
            {"credit": {"rule": "all_heads"}},
            "credit.rule=all_heads is credit.base=coupled itself while probe.roles is null: both then read all heads; "
            "set probe.roles",
        ),
        (
            {"credit": {"rule": "combined"}, "rewards": {"satisfaction_weight": 0.0, "functions": ("mine.py:reward",)}},
            "credit.rule=combined shares what constraints earn, and rewards.satisfaction_weight=0.0 pays nothing for "
            "them; set satisfaction_weight=1.0, or another rule",
        ),
        (
            {"credit": {"rule": "constraint"}, "rewards": {"separate": True}},
            "credit.rule=constraint splits one reward for all constraints, and rewards.separate=true makes several, "
            "each with its own weight; set separate=false",
        ),
        (
            {"credit": {"rule": "constraint"}, "trl": {"off_policy_mask_threshold": 0.5}},
            "credit.rule=constraint gives tokens of one completion different signs, but "
            "trl.off_policy_mask_threshold masks whole completions by their sign; drop that key, or set another rule",
        ),
        (
            {"credit": {"rule": "random", "faithfulness": {"measure": "verdict"}}},
            "credit.faithfulness.measure=verdict needs completions that continue after replaced spans, but "
            "credit.faithfulness.resample=false; set resample=true, or measure=logprob",
        ),
        (
            {"credit": {"faithfulness": {"every": 5}}},
            "credit.faithfulness.every=5 has nothing to check under credit.rule=uniform; set every=0",
        ),
        (
            {**PAIRS, "credit": {"rule": "coupled", "faithfulness": {"every": 5}}},
            "credit.faithfulness.every=5 checks completions that the policy samples, and algorithm=dpo samples none; "
            "set every=0",
        ),
    ],
)
def test_contradictions_name_both_keys_and_the_fix(sections, sentence):
    assert problems(**sections) == [sentence]


@pytest.mark.parametrize(
    "sections",
    [
        {"credit": {"rule": "constraint"}, "trainer": {"scale_rewards": "none"}},
        {"credit": {"rule": "constraint"}, "trainer": {"scale_rewards": "batch"}},
        {"credit": {"rule": "constraint"}, "rewards": {"satisfaction": "graded"}},
        {"credit": {"rule": "constraint"}, "trl": {"multi_objective_aggregation": "normalize_then_sum"}},
        {"credit": {"rule": "coupled", "faithfulness": {"every": 5, "resample": True, "measure": "verdict"}}},
        {"credit": {"rule": "mine.py:rule"}},
        {"credit": {"readings": "residual"}, "probe": {"baseline": "null.safetensors"}},
    ],
)
def test_what_agrees_is_accepted(sections):
    assert list(contradictions(Config.model_validate(sections))) == []
