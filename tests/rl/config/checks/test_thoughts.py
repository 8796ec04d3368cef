"""Contradictions of thoughts: what tells thoughts from answers needs to know where a thought ends."""

import pytest

from rl.common.errors import UserError
from rl.config.load import parse_config

REASONING = {"model": {"name": "tiny", "reasoning": "auto"}}


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({"credit": {"region": "answer"}}, "credit.region=answer needs completions with a thought"),
        ({"rewards": {"thought_budget": {"tokens": 9}}}, "rewards.thought_budget counts the tokens of thoughts"),
        (
            {**REASONING, "credit": {"region": "thought"}, "trainer": {"importance_sampling_level": "sequence"}},
            "credit.region=thought weighs tokens, but trainer.importance_sampling_level=sequence",
        ),
        (
            {
                **REASONING,
                "algorithm": "dpo",
                "data": {"path": "pairs.jsonl"},
                "credit": {"region": "answer"},
                "dpo": {"loss_type": ["ipo"]},
            },
            "dpo.loss_type=ipo divides by the tokens of thought and answer",
        ),
    ],
)
def test_thoughts__contradictions_name_both_keys(tree, sentence):
    with pytest.raises(UserError, match=sentence):
        parse_config(tree)


def test_thoughts__go_together_with_reasoning():
    parse_config({**REASONING, "credit": {"region": "answer"}, "rewards": {"thought_budget": {"tokens": 9}}})
