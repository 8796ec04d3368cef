"""The loss of a whole node: its requests are sampled on another, long before any time limit."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from rl.config.rollouts import RolloutsConfig
from rl.rollouts.adapter_bytes import serialize_adapter
from rl.rollouts.interfaces import SampledRequest
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.dispatcher import Dispatcher
from rl.rollouts.workers.ray_pool import RayWorkerPool, connect
from rl.rollouts.workers.weight_sync import Tolerance, weight_fingerprint
from tests.rl.emulated_cluster import emulated_cluster
from tests.rl.rollouts.fake_engine import NODE, ToyFactory, toy_adapter

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves sockets to the garbage collector
]

DEADLINE = 240.0


def first_mark(marks: Path) -> str:
    """Wait for the name of the node that the first request hangs on."""
    give_up = time.monotonic() + DEADLINE
    while not (files := sorted(marks.glob("[0-9]*"))):
        assert time.monotonic() < give_up, "no request was ever sampled"
        time.sleep(0.05)
    return files[0].read_text()


def test_lost_node__has_its_requests_sampled_on_another(tmp_path):
    with emulated_cluster(DEADLINE) as cluster:
        # both workers fit on either node: what the lost one sampled, the other can
        nodes = {
            name: cluster.add_node(num_cpus=2, resources={"rollout": 2}, env_vars={NODE: name})
            for name in ("one", "two")
        }
        settings = RolloutsConfig(
            workers=2,
            cpus=1.0,
            resources={"rollout": 1},
            address=cluster.address,
            time_limit=3 * DEADLINE,
            start_limit=DEADLINE,
        )
        connection = connect(settings, cpus=2.0)
        factory = ToyFactory(marks=tmp_path, failure="hang", positions=(0, 2, 4, 6))
        pool = RayWorkerPool(factory, settings, connection)
        with closing(Dispatcher(pool, settings, tolerance=Tolerance(1e-4))) as dispatcher:
            state = toy_adapter(1.0)
            learner = weight_fingerprint(
                state, [float(tensor.sum()) for tensor in state.values()], owner="learner", version=0
            )
            dispatcher.publish(serialize_adapter(state), learner)
            requests = [
                RolloutRequest(position=position, prompts=((1, 2), (3,)), num_generations=2, version=0, seed=0)
                for position in (0, 2, 4, 6)
            ]
            dispatcher.submit(requests)
            cluster.remove_node(nodes[first_mark(tmp_path)], allow_graceful=False)
            started = time.monotonic()
            outcomes = dispatcher.collect(requests)
            assert len(outcomes) == 4 and all(isinstance(outcome, SampledRequest) for outcome in outcomes)
            assert time.monotonic() - started < DEADLINE
            assert dispatcher.pop_counters().reissued >= 1
