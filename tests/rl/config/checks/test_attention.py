"""Attention that is calibrated: what cannot go together with it is refused by name."""

import pytest

from rl.config.load import parse_config
from tests.rl.grpo_fixtures import tiny_config

SEPARATE = {"shared_prompts": False}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({}, "set trainer.shared_prompts=false"),
        ({"trainer": SEPARATE, "rollouts": {"engine": "vllm", "workers": 1}}, "rollouts.engine=vllm"),
        ({"trainer": SEPARATE, "credit": {"rule": "coupled"}}, "credit.rule=coupled reads"),
        ({"trainer": SEPARATE, "probe": {"listen": "always"}}, "probe.listen=always reads"),
        ({"trainer": SEPARATE, "probe": {"indicators": True}}, "probe.indicators=true reads"),
    ],
)
def test_calibration__refuses_what_does_not_compute_it(sections, message):
    with pytest.raises(ValueError, match=message):
        tiny_config(**sections, model={"calibration": "c.json"})


def test_calibration__goes_with_separate_prompts():
    assert tiny_config(trainer=SEPARATE, model={"calibration": "c.json"}).model.calibration is not None
    assert parse_config({}).model.calibration is None


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"rollouts": {"workers": 1}}, "rollouts.workers=0"),
        ({"rollouts": {"correction": "none"}}, "rollouts.correction=none would not weigh"),
        ({"routing": {"adapters": ["a", "b"]}}, "routing.adapters has several"),
        ({"trainer": {"loss_type": "luspo"}}, "trainer.loss_type=luspo does itself"),
        ({"trainer": SEPARATE, "model": {"calibration": "c.json"}}, "both replace the model's attention"),
    ],
)
def test_sparse__refuses_what_it_cannot_go_with(sections, message):
    rollouts = {"sparse": {"plan": "window"}, **sections.get("rollouts", {})}
    with pytest.raises(ValueError, match=message):
        tiny_config(**{**sections, "rollouts": rollouts})


def test_sparse__goes_with_shared_prompts_and_the_probe():
    config = tiny_config(rollouts={"sparse": {"plan": "hip"}}, probe={"listen": "always"})
    assert config.rollouts.sparse.plan == "hip"
