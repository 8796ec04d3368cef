"""One Ray for the tests of a module: on the loopback, small, and patient with a machine that does other things too."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil

from rl.config import Rollouts as Settings
from rl.rollouts.pool import LOOPBACK, Connection, connect, patience
from rl.rollouts.session import session_processes

START_LIMIT = 300.0
AGENT_PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
"""Ray's raylet gives its agents 15 s to find ports of their own (a constant), and dies if they are slower."""


def head_arguments(**arguments: object) -> dict[str, object]:
    """For `ray.cluster_utils.Cluster`: a head that waits for no agent."""
    return {
        "include_dashboard": False,
        "object_store_memory": 80 * 2**20,
        **agent_ports(),
        **arguments,
    }


def agent_ports() -> dict[str, int]:
    """Free ports for a node's agents."""
    return {name: _free_port() for name in AGENT_PORTS}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def one_ray() -> Iterator[Connection]:
    """Ray, started and met by this process; whoever is given the connection does not end it, and nothing is left."""
    os.environ.update(LOOPBACK)
    import ray
    from ray.cluster_utils import Cluster

    with patience(START_LIMIT):
        cluster = Cluster(initialize_head=True, head_node_args=head_arguments(num_cpus=2))
    connection = connect(Settings(workers=1, address=cluster.address), workers=1)
    try:
        yield replace(connection, ours=False)
    finally:
        ray.shutdown()
        cluster.shutdown()
        _, left = psutil.wait_procs(list(session_processes(connection.session)), timeout=60.0)
        assert left == []
