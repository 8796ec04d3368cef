"""Training on servers: nothing is lost when one dies or hangs, and a policy that is not the learner's stops the run."""

import itertools
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from rl.common.errors import RunFailure
from rl.config.rollouts import RolloutsConfig
from rl.rollouts import served_adapters
from rl.rollouts.ledger import LedgerTotals
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.dispatcher import Dispatcher
from rl.rollouts.workers.server_pool import ServerPool
from rl.rollouts.workers.weight_sync import Tolerance, weight_fingerprint
from rl.trainers.grpo import CreditGRPOTrainer
from tests.rl.grpo_fixtures import credit_trainer, tiny_config
from tests.rl.rollouts.fake_vllm_server import FakeVllmServer
from tests.rl.rollouts.test_engine_vllm_server import TEXT, learner_logprobs, make_policy, make_setup, payload_of

STEPS, COMPLETIONS = 3, 8


def train(folder: Path, *servers: FakeVllmServer, **rollouts: Any) -> CreditGRPOTrainer:
    urls = [server.url for server in servers]
    settings = {"engine": "vllm_server", "url": urls, "groups_per_unit": 1, **rollouts}
    trainer = credit_trainer(tiny_config(rollouts=settings, trainer={"max_steps": STEPS}), folder)
    try:
        trainer.train()
    finally:
        trainer.rollouts.close()
    return trainer


def steps_of(trainer: CreditGRPOTrainer) -> list[dict]:
    return [line for line in trainer.state.log_history if "loss" in line]


def totals_of(folder: Path) -> LedgerTotals:
    with sqlite3.connect(folder / "ledger.sqlite") as ledger:
        totals = ledger.execute("SELECT SUM(dispatched), SUM(trained), SUM(dropped) FROM groups").fetchone()
    ledger.close()
    return LedgerTotals(dispatched=totals[0], trained=totals[1], dropped=totals[2])


def events_of(folder: Path, event: str) -> list[str]:
    with sqlite3.connect(folder / "ledger.sqlite") as ledger:
        details = [detail for (detail,) in ledger.execute("SELECT detail FROM events WHERE event = ?", (event,))]
    ledger.close()
    return details


EVEN = LedgerTotals(dispatched=STEPS * COMPLETIONS, trained=STEPS * COMPLETIONS, dropped=0)


def test_training__on_a_server_samples_with_the_learners_policy(tmp_path):
    with FakeVllmServer() as server:
        trainer = train(tmp_path, server)
        # one blank adapter for the check, and one a step, each under a name of its own
        assert len(server.names) == len(set(server.names)) == 1 + STEPS
        assert server.adapters == {}  # all were unloaded
    assert totals_of(tmp_path) == EVEN
    for line in steps_of(trainer):
        assert line["sync/probe_gap"] < 1e-4
        assert line["sync/logp_gap_max"] < 1e-4
        assert line["sync/staleness_max"] == 0.0


def test_training__samples_ahead_on_a_server(tmp_path):
    with FakeVllmServer() as server:
        trainer = train(tmp_path, server, max_staleness=1)
    assert [line["sync/staleness_max"] for line in steps_of(trainer)] == [0.0, 1.0, 1.0]
    assert totals_of(tmp_path) == EVEN


def test_a_server_that_dies_in_the_middle__loses_nothing(tmp_path):
    # it has answered the check (1), the proof of version 0 (1) and of the base (1), a unit of one group (4), the proof
    # of version 1 (1), and one of the four completions of its second unit
    with FakeVllmServer() as server, FakeVllmServer(completions_before_death=9) as mortal:
        trainer = train(tmp_path, server, mortal)
        assert mortal._server is None
    assert totals_of(tmp_path) == EVEN
    assert any(f"{mortal.url} does not answer" in cause for cause in events_of(tmp_path, "reissued"))
    assert len(steps_of(trainer)) == STEPS


def test_the_last_server_that_dies__stops_the_run_with_its_address(tmp_path):
    with FakeVllmServer(completions_before_death=9) as mortal, pytest.raises(RunFailure) as failure:
        train(tmp_path, mortal, start_limit=5.0, tries=1, max_dropped=1.0)
    assert f"no rollout worker is left: worker-0.0, the last one, {mortal.url} does not answer" in str(failure.value)


class Ask:
    """A dispatcher on servers, and a policy that was published to it."""

    def __init__(self, *servers: FakeVllmServer, clock: Any, **settings: Any):
        policy = make_policy()
        pool = ServerPool([make_setup(server.url) for server in servers], probe_ids=TEXT, start_limit=20.0)
        config = RolloutsConfig(engine="vllm_server", url="http://fake", workers=len(servers), **settings)
        self.dispatcher = Dispatcher(pool, config, tolerance=Tolerance(1e-4), clock=clock)
        state = served_adapters.load(payload_of(policy))
        logprobs = learner_logprobs(policy, TEXT, prompt=1, temperature=1.0)
        self.dispatcher.publish(payload_of(policy), weight_fingerprint(state, logprobs, owner="learner", version=0))

    def __call__(self, *positions: int) -> list:
        requests = [
            RolloutRequest(position=position, prompts=((8, 9),), num_generations=2, version=0, seed=0)
            for position in positions
        ]
        self.dispatcher.submit(requests)
        return self.dispatcher.collect(requests)


def test_a_slow_server__is_given_up_and_another_gives_the_tokens_that_it_would_have_given():
    free, asked = threading.Event(), [0]
    free.set()
    with FakeVllmServer(resume=free) as slow, FakeVllmServer() as server:
        # the clock jumps past any limit when the slow server is asked once more
        ask = Ask(slow, server, clock=lambda: 1e6 * (not free.is_set() and len(slow.bodies) > asked[0]))
        try:
            position = 0
            while not (slow.bodies and server.bodies):  # both have started, and wait for requests
                ask(position, position + 1)
                position += 2
            (expected,) = ask(0)
            free.clear()
            asked[0] = len(slow.bodies)
            (outcome,) = ask(0)
            assert len(slow.bodies) > asked[0]
        finally:
            free.set()
            ask.dispatcher.close()
    assert (expected.worker, outcome.worker) == ("worker-0.0", "worker-0.1")
    assert outcome.samples == expected.samples


def test_a_server_that_was_restarted__gets_its_adapter_anew():
    with FakeVllmServer() as server:
        ask = Ask(server, clock=lambda: 0.0)
        try:
            (before,) = ask(0)
            server.stop()
            server.start()
            (after,) = ask(0)
            assert after.samples == before.samples
            assert len(set(server.names)) == 2
        finally:
            ask.dispatcher.close()


def test_a_stale_name__stops_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(served_adapters, "NUMBERS", itertools.repeat(1))  # every version gets the same name
    with (
        FakeVllmServer(caches_by_name=True) as server,
        # version 0, under whose name version 1 is asked for, is zero
        pytest.raises(RunFailure, match=r"worker-0.0, policy version 1: adapter default was loaded, but .* without it"),
    ):
        train(tmp_path, server)


def test_an_adapter_that_loads_and_does_nothing__stops_the_run(tmp_path):
    with (
        FakeVllmServer(ignores_adapters=True) as server,
        pytest.raises(RunFailure, match=r"version 1: adapter default was loaded, but the worker samples without it"),
    ):
        train(tmp_path, server)
