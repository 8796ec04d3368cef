"""The settings of rollouts: what contradicts itself is said before anything starts, and what a resume may change."""

import pytest

from launch.recipes import load_recipe
from rl.config.load import parse_config


@pytest.mark.parametrize(
    ("rollouts", "told"),
    [
        ({"max_staleness": 1}, "rollouts.max_staleness=1 needs a worker, but rollouts.workers=0"),
        ({"engine": "vllm"}, "rollouts.engine=vllm needs a worker, but rollouts.workers=0"),
        ({"address": "auto"}, "rollouts.address=auto needs a worker, but rollouts.workers=0"),
    ],
)
def test_what_only_workers_can_do_needs_one(rollouts, told):
    with pytest.raises(ValueError, match=told):
        parse_config({"rollouts": rollouts})


def test_a_staleness_that_allows_nothing_ahead_names_the_least_that_does():
    # 4 micro-steps a batch, visited twice, one accumulated: 8 optimizer steps until the next batch is trained
    trainer = {"steps_per_generation": 4, "num_iterations": 2}
    with pytest.raises(ValueError, match=r"rollouts.max_staleness=3 lets nothing.*lasts 8 optimizer steps.*0 or to 8"):
        parse_config({"trainer": trainer, "rollouts": {"workers": 1, "max_staleness": 3}})
    parse_config({"trainer": trainer, "rollouts": {"workers": 1, "max_staleness": 8}})


def test_a_loss_of_whole_sequences_takes_no_token_ratios():
    stale = {"workers": 1, "max_staleness": 1}
    with pytest.raises(ValueError, match=r"rollouts.correction=token_truncate .*trainer.loss_type=luspo"):
        parse_config({"trainer": {"loss_type": "luspo"}, "rollouts": stale})
    parse_config({"trainer": {"loss_type": "luspo"}, "rollouts": {**stale, "correction": "none"}})


def test_a_resumed_run_may_have_other_workers_but_not_other_samples(tmp_path):
    from rl.common.atomic import write_text
    from rl.config.load import resolved_yaml

    write_text(tmp_path / "config.yaml", resolved_yaml(load_recipe("tiny")))
    recipe, resume = f"{tmp_path}/config.yaml", f"resume={tmp_path}"
    assert load_recipe(recipe, [resume, "rollouts.workers=2", "rollouts.time_limit=9"]).rollouts.workers == 2
    with pytest.raises(ValueError, match=r"rollouts.groups_per_unit: the run has None, now 1 is asked for"):
        load_recipe(recipe, [resume, "rollouts.groups_per_unit=1"])
