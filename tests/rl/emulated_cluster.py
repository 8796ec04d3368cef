"""An emulated cluster for a test: a head without CPUs that soon notices a dead node; nodes are the test's to add."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rl.rollouts.workers.ray_pool import extended_start_timeout

# Ray's default notices a dead node after some 20 s.
NOTICE_SOON = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 3,
}


@contextmanager
def emulated_cluster(start_limit: float) -> Iterator[Any]:
    """Each start has so many seconds; afterwards the cluster is gone, and this process has left it."""
    import ray
    from ray.cluster_utils import Cluster

    with extended_start_timeout(start_limit):
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "_system_config": NOTICE_SOON},
        )
        try:
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
