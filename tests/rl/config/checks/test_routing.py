"""Contradictions of routing: each names both keys and the fix."""

import pytest

from rl.config.load import parse_config


@pytest.mark.parametrize(
    ("routing", "words"),
    [
        ({"top": 2}, "have no effect without routing.adapters"),
        ({"adapters": ["a", "a"]}, "names one twice"),
        ({"adapters": ["a", "mix"]}, "mix is a name of Heed's own"),
        ({"adapters": ["routed", "a"]}, "routed is a name of Heed's own"),
        ({"adapters": ["a.b", "c"]}, "a.b has a dot"),
        ({"adapters": ["a"], "ranks": {"b": 2}}, "routing.ranks names b"),
        ({"adapters": ["a", "b"], "tasks": {"x": "c"}}, "routing.tasks names c"),
        ({"adapters": ["a"], "top": 2}, "more than the 1 adapters"),
        ({"adapters": ["a"], "router": "fixed"}, "needs weights"),
        ({"adapters": ["a"], "weights": {"a": 1.0}}, "no other router takes them"),
        ({"adapters": ["a", "b"], "learn": "policy", "top": None}, "set router=attention"),
        ({"adapters": ["a", "b"], "learn": "policy", "router": "attention"}, "gates that the loss can change"),
    ],
)
def test_contradictions__name_both_keys_and_the_fix(routing, words):
    with pytest.raises(ValueError, match=words):
        parse_config({"routing": routing})


@pytest.mark.parametrize(
    "sections",
    [
        {"rollouts": {"workers": 1, "engine": "vllm"}},
        {"distributed": {"processes": 2, "zero": 3}},
        {"credit": {"rule": "coupled", "faithfulness": {"every": 2}}},
        {"lora": {"start": "adapters/default"}},
    ],
)
def test_contradictions__features_for_one_adapter_are_refused(sections):
    with pytest.raises(ValueError, match="routing"):
        parse_config({"routing": {"adapters": ["a", "b"]}, **sections})
