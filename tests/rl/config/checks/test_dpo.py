"""Contradictions of DPO: each names both keys and the fix."""

import pytest

from rl.config.checks.general import contradictions
from rl.config.root import Config
from tests.rl.config_fixtures import problems

PAIRS = {"algorithm": "dpo", "data": {"path": "pairs.jsonl"}}


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (
            {**PAIRS, "data": {"path": "pairs.jsonl", "order": "band"}},
            "data.order=band goes by the rewards of sampled completions, which only algorithm=grpo has in its ledger; "
            "set order=shuffled, or algorithm=grpo",
        ),
        (
            {"algorithm": "dpo"},
            "algorithm=dpo trains on preference pairs; set data.path to a file of them (heed data pairs makes one), or "
            "pairs.rounds to make them from the policy's answers",
        ),
        (
            {**PAIRS, "trainer": {"beta": 0.2}},
            "trainer.beta=0.2 has no effect with algorithm=dpo; did you mean dpo.beta?",
        ),
        (
            {**PAIRS, "trainer": {"num_iterations": 2}},
            "trainer.num_iterations=2 has no effect with algorithm=dpo; drop it",
        ),
        (
            {**PAIRS, "rollouts": {"workers": 2}},
            "rollouts.workers=2 has no effect with algorithm=dpo; drop it",
        ),
        (
            {**PAIRS, "dpo": {"loss_weights": (1.0, 0.5)}},
            "dpo.loss_weights has 2 weights for the 1 of dpo.loss_type=['sigmoid']; give one for each, or set null",
        ),
        (
            {**PAIRS, "dpo": {"loss_type": ("exo_pair",)}},
            "dpo.loss_type=exo_pair needs dpo.label_smoothing above 0; set label_smoothing=0.001 as its paper does",
        ),
        (
            {**PAIRS, "probe": {"source": "separate"}},
            "probe.source=separate is not supported with algorithm=dpo; set probe.source=loss",
        ),
        (
            {**PAIRS, "credit": {"rule": "constraint"}, "dpo": {"precompute_ref_log_probs": True}},
            "credit.rule=constraint weighs policy and reference alike, but dpo.precompute_ref_log_probs=true sums the "
            "reference's log-probs before there are weights; change one of the two",
        ),
        (
            {**PAIRS, "credit": {"rule": "random"}, "dpo": {"use_weighting": True}},
            "credit.rule=random would weigh the log-probs that dpo.use_weighting=true weighs pairs by; change one of "
            "the two",
        ),
        (
            {**PAIRS, "credit": {"rule": "random"}, "dpo": {"loss_type": ("sigmoid", "sft")}},
            "credit.rule=random would weigh the likelihood that dpo.loss_type=sft maximises, which says nothing "
            "about the preference; drop sft, or set credit.rule=uniform",
        ),
        (
            {**PAIRS, "credit": {"rule": "random", "preserve_mass": False}, "dpo": {"loss_type": ("ipo",)}},
            "dpo.loss_type=ipo divides by the number of tokens, which is wrong with credit.preserve_mass=false; set "
            "preserve_mass=true",
        ),
        (
            {**PAIRS, "credit": {"rule": "constraint"}, "trl": {"truncation_mode": "keep_end"}},
            "credit.rule=constraint reads the constraints in the prompt, which trl.truncation_mode=keep_end truncates; "
            "drop that key",
        ),
    ],
)
def test_contradictions__name_both_keys_and_the_fix(sections, sentence):
    assert problems(**sections) == [sentence]


@pytest.mark.parametrize(
    "sections",
    [
        {**PAIRS, "trainer": {"per_device_train_batch_size": 3, "temperature": 0.7}},
        {**PAIRS, "credit": {"rule": "coupled"}, "dpo": {"loss_type": ("ipo", "sigmoid_norm", "aot")}},
    ],
)
def test_contradictions__settings_that_agree_are_accepted(sections):
    assert list(contradictions(Config.model_validate(sections))) == []


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({"beta": 0.1}, "trl.beta: a key is set in one place only; set dpo.beta"),
        ({"seed": 1}, "trl.seed: a key is set in one place only; set trainer.seed"),
        ({"epsilon": 0.1}, "trl.epsilon: TRL's DPOConfig has no such field"),
        ({"padding_free": True}, "trl.padding_free: decided by Heed: TRL has disabled it"),
    ],
)
def test_trl_block__keys_are_those_of_the_algorithm(block, sentence):
    assert problems(**PAIRS, trl=block)[0].startswith(sentence)
