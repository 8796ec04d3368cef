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
        {"distributed": {"processes": 2, "zero": 3}},
        {"credit": {"rule": "coupled", "faithfulness": {"every": 2}}},
        {"lora": {"start": "adapters/default"}},
    ],
)
def test_contradictions__features_for_one_adapter_are_refused(sections):
    with pytest.raises(ValueError, match="routing"):
        parse_config({"routing": {"adapters": ["a", "b"]}, **sections})


VLLM = {"workers": 1, "engine": "vllm"}


@pytest.mark.parametrize(
    ("routing", "words"),
    [
        (
            {"top": 2},
            r"engine=vllm samples each row with one adapter, and routing\.top=2 mixes.*set top=1, or",
        ),
        ({"top": None}, r"routing\.top=null mixes several; set top=1, or set engine=transformers"),
        (
            {"router": "fixed", "weights": {"a": 0.5, "b": 0.5}},
            r"weights=.* mix several; give one the weight 1",
        ),
    ],
)
def test_contradictions__an_engine_with_one_adapter_a_row_mixes_none(routing, words):
    with pytest.raises(ValueError, match=words):
        parse_config({"routing": {"adapters": ["a", "b"], **routing}, "rollouts": VLLM})


@pytest.mark.parametrize("routing", [{}, {"router": "kmeans"}, {"router": "fixed", "weights": {"b": 1.0, "a": 0.0}}])
def test_contradictions__hard_gates_are_sampled_by_an_engine_with_one_adapter_a_row(routing):
    assert parse_config({"routing": {"adapters": ["a", "b"], **routing}, "rollouts": VLLM}).rollouts.engine == "vllm"
