"""Contradictions of credit and of DPO: both keys and the fix are named."""

import pytest

from rl.config.checks.general import contradictions
from rl.config.root import Config
from tests.rl.config.test_root import problems

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
            {"credit": {"rule": "constraint", "preserve_mass": False}},
            "credit.rule=constraint splits an advantage into channels that must sum to it, which "
            "credit.preserve_mass=false would not; set preserve_mass=true",
        ),
        (
            {"credit": {"rule": "combined"}, "rewards": {"satisfaction_weight": 0.0, "functions": ("mine.py:reward",)}},
            "credit.rule=combined shares what constraints earn, and rewards.satisfaction_weight=0.0 pays nothing for "
            "them; set satisfaction_weight=1.0, or another rule",
        ),
        (
            {"credit": {"rule": "constraint"}, "rewards": {"satisfaction": "graded"}},
            "credit.rule=constraint shares what each constraint earns by being kept, and rewards.satisfaction=graded "
            "pays near misses in part; set satisfaction to mean or count",
        ),
        (
            {"credit": {"rule": "constraint"}, "rewards": {"separate": True}},
            "credit.rule=constraint splits one reward for all constraints, and rewards.separate=true makes several, "
            "weighed apart; set separate=false",
        ),
        (
            {"credit": {"rule": "constraint"}, "trainer": {"scale_rewards": "batch"}},
            "credit.rule=constraint splits each group's advantages, but trainer.scale_rewards=batch divides them by a "
            "figure of all ranks' completions; set scale_rewards to group or none",
        ),
        (
            {"credit": {"rule": "constraint"}, "trl": {"multi_objective_aggregation": "normalize_then_sum"}},
            "credit.rule=constraint needs a total reward that its constraints add up to, and "
            "trl.multi_objective_aggregation=normalize_then_sum scales each reward by itself; drop that key",
        ),
        (
            {"credit": {"rule": "constraint"}, "trl": {"off_policy_mask_threshold": 0.5}},
            "credit.rule=constraint gives tokens of one completion different signs, by which "
            "trl.off_policy_mask_threshold drops whole completions; drop that key, or set another rule",
        ),
        (
            {"credit": {"rule": "random", "faithfulness": {"measure": "verdict"}}},
            "credit.faithfulness.measure=verdict needs completions that go on from replaced spans, but "
            "credit.faithfulness.resample=false; set resample=true, or measure=logprob",
        ),
        (
            {"credit": {"faithfulness": {"every": 5}}},
            "credit.faithfulness.every=5 has nothing to watch under credit.rule=uniform; set every=0",
        ),
        (
            {**PAIRS, "credit": {"rule": "coupled", "faithfulness": {"every": 5}}},
            "credit.faithfulness.every=5 watches completions that the policy samples, and algorithm=dpo samples none; "
            "set every=0",
        ),
        (
            {"algorithm": "dpo"},
            "algorithm=dpo trains on preference pairs; set data.path to a file of them (heed data pairs makes one), or "
            "pairs.rounds to make them from the policy's own answers",
        ),
        (
            {**PAIRS, "trainer": {"beta": 0.2}},
            "trainer.beta=0.2 means nothing to algorithm=dpo; did you mean dpo.beta?",
        ),
        (
            {**PAIRS, "trainer": {"num_iterations": 2}},
            "trainer.num_iterations=2 means nothing to algorithm=dpo; drop it",
        ),
        (
            {**PAIRS, "rollouts": {"workers": 2}},
            "rollouts.workers=2 means nothing to algorithm=dpo; drop it",
        ),
        (
            {**PAIRS, "dpo": {"loss_weights": (1.0, 0.5)}},
            "dpo.loss_weights has 2 weights for the 1 of dpo.loss_type=['sigmoid']; give one for each, or null",
        ),
        (
            {**PAIRS, "dpo": {"loss_type": ("exo_pair",)}},
            "dpo.loss_type=exo_pair needs dpo.label_smoothing above 0; set label_smoothing=0.001 as its paper does",
        ),
        (
            {**PAIRS, "probe": {"source": "separate"}},
            "probe.source=separate reads before a loss that algorithm=dpo has only one of; set source=loss",
        ),
        (
            {**PAIRS, "credit": {"rule": "constraint"}, "dpo": {"precompute_ref_log_probs": True}},
            "credit.rule=constraint weighs policy and reference alike, but dpo.precompute_ref_log_probs=true sums the "
            "reference's log-probs before there are weights; set one of the two otherwise",
        ),
        (
            {**PAIRS, "credit": {"rule": "random"}, "dpo": {"use_weighting": True}},
            "credit.rule=random would weigh the log-probs that dpo.use_weighting=true weighs pairs by; set one of the "
            "two otherwise",
        ),
        (
            {**PAIRS, "credit": {"rule": "random"}, "dpo": {"loss_type": ("sigmoid", "sft")}},
            "credit.rule=random would weigh the likelihood that dpo.loss_type=sft maximises, which no preference "
            "stands behind; drop sft, or set credit.rule=uniform",
        ),
        (
            {**PAIRS, "credit": {"rule": "random", "preserve_mass": False}, "dpo": {"loss_type": ("ipo",)}},
            "dpo.loss_type=ipo divides by the number of tokens, which credit.preserve_mass=false makes wrong; set "
            "preserve_mass=true",
        ),
        (
            {**PAIRS, "credit": {"rule": "constraint"}, "trl": {"truncation_mode": "keep_end"}},
            "credit.rule=constraint looks for constraints in the prompt, which trl.truncation_mode=keep_end cuts off; "
            "drop that key",
        ),
    ],
)
def test_contradictions_name_both_keys_and_the_fix(sections, sentence):
    assert problems(**sections) == [sentence]


@pytest.mark.parametrize(
    "sections",
    [
        {"credit": {"rule": "constraint"}, "trainer": {"scale_rewards": "none"}},
        {"credit": {"rule": "coupled", "faithfulness": {"every": 5, "resample": True, "measure": "verdict"}}},
        {"credit": {"rule": "mine.py:rule"}},
        {"credit": {"readings": "residual"}, "probe": {"baseline": "null.safetensors"}},
        {**PAIRS, "trainer": {"per_device_train_batch_size": 3, "temperature": 0.7}},
        {**PAIRS, "credit": {"rule": "coupled"}, "dpo": {"loss_type": ("ipo", "sigmoid_norm", "aot")}},
    ],
)
def test_what_agrees_is_accepted(sections):
    assert list(contradictions(Config.model_validate(sections))) == []


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({"beta": 0.1}, "trl.beta: a key is set in one place only; set dpo.beta"),
        ({"seed": 1}, "trl.seed: a key is set in one place only; set trainer.seed"),
        ({"epsilon": 0.1}, "trl.epsilon: TRL's DPOConfig has no such field"),
        ({"padding_free": True}, "trl.padding_free: decided by Heed: TRL has switched it off"),
    ],
)
def test_trl_keys_are_those_of_the_algorithm(block, sentence):
    assert problems(**PAIRS, trl=block)[0].startswith(sentence)
