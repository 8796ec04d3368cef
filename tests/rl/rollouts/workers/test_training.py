"""Training with real workers changes no bit; sampling ahead loses nothing and is never too stale (laws 1 and 6)."""

from collections.abc import Iterator
from functools import partial

import pytest

from rl.config.root import Config
from rl.datasets import load_problems
from rl.evaluation.command import evaluate_policy
from rl.trainers.grpo import CreditGRPOTrainer
from tests.rl.grpo_fixtures import Outcome, credit_trainer, outcome, tiny_config
from tests.rl.ray_fixture import one_ray

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves sockets to the garbage collector

ROLLOUTS = {"groups_per_unit": 1, "cpus": 0.1, "object_store_mb": 80}


@pytest.fixture(scope="module", autouse=True)
def ray_is_here() -> Iterator[None]:
    with one_ray():
        yield


def config_with(workers: int, **rollouts) -> Config:
    return tiny_config(rollouts={**ROLLOUTS, "workers": workers, **rollouts})


def train(config: Config, folder) -> tuple[Outcome, CreditGRPOTrainer]:
    trainer = credit_trainer(config, folder)
    try:
        trainer.train()
    finally:
        trainer.rollouts.close()
    return outcome(trainer), trainer


@pytest.fixture(scope="module")
def in_process(tmp_path_factory) -> Outcome:
    return train(config_with(0), tmp_path_factory.mktemp("run"))[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_training__with_workers_changes_no_bit(workers, in_process, tmp_path):
    trained, trainer = train(config_with(workers), tmp_path)
    assert trained == in_process
    steps = [line for line in trainer.state.log_history if "loss" in line]
    assert len(steps) == 4
    for line in steps:
        assert line["sync/probe_gap"] == 0.0
        assert line["sync/staleness_max"] == 0.0
        assert line["sync/bytes"] > 0
        assert line["sync/logp_gap_max"] < 1e-4


def test_sampling_ahead__loses_nothing_and_is_never_too_stale(tmp_path):
    trained, trainer = train(config_with(1, max_staleness=1), tmp_path)
    steps = [line for line in trainer.state.log_history if "loss" in line]
    # the first batch is fresh; every later one was sampled one step before
    assert [line["sync/staleness_max"] for line in steps] == [0.0, 1.0, 1.0, 1.0]
    assert all(line["sync/ratio_max"] <= 3.0 for line in steps)
    assert trainer.rollouts.ledger is not None
    totals = trainer.rollouts.ledger.totals()
    # 4 steps of 8 completions, and nothing was sampled ahead of the last one
    assert (totals.dispatched, totals.trained, totals.dropped) == (32, 32, 0)
    assert len(trained.grad_norms) == 4 and all(trained.grad_norms)


def test_sync_bytes__are_those_of_the_adapter_alone(tmp_path):
    config = tiny_config(rollouts={**ROLLOUTS, "workers": 1}, trainer={"max_steps": 1})
    _, trainer = train(config, tmp_path)
    (line,) = (line for line in trainer.state.log_history if "loss" in line)
    adapter = sum(weight.numel() for weight in trainer.model.parameters() if weight.requires_grad)
    # four bytes a number, and the header with the tensors' names
    assert 4 * adapter < line["sync/bytes"] < 4 * adapter + 8192


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_held_out_answers__of_workers_are_those_of_the_policy_itself(temperature, tmp_path):
    evaluation = {"temperature": temperature, "batch_size": 2}
    far = {"learning_rate": 0.3}  # far enough to change greedy answers
    config = tiny_config(rollouts={**ROLLOUTS, "workers": 2}, evaluation=evaluation, data={"held_out": 6}, trainer=far)
    problems = load_problems(config.data).held_out
    trainer = credit_trainer(config, tmp_path)
    answers = partial(evaluate_policy, config, trainer.policy, trainer.policy_tokenizer, problems)
    try:
        with trainer.policy.disable_adapter():
            before = answers()
        assert answers(trainer.answer_as_base()) == before
        trainer.train()
        after = answers()
        assert answers(trainer.answer_held_out()) == after != before
        # an adapter that is trained by now is set aside for the base model's answers, and comes back
        assert answers(trainer.answer_as_base()) == before
        assert answers(trainer.answer_held_out()) == after
    finally:
        trainer.rollouts.close()
