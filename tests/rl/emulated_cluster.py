"""Helper: an emulated Ray cluster, a head without CPUs to which a test adds nodes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rl.rollouts.workers.ray_pool import extended_start_timeout, make_token

# By default Ray notices a dead node after some 20 s.
FAST_HEALTH_CHECKS = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 3,
}


@contextmanager
def emulated_cluster(start_limit: float) -> Iterator[Any]:
    """Start a cluster, with a time limit for each start; stop it after the block."""
    import ray
    from ray.cluster_utils import Cluster

    make_token()
    with extended_start_timeout(start_limit):
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "_system_config": FAST_HEALTH_CHECKS},
        )
        try:
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
