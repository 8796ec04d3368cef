"""One Ray for the tests of a module: on the loopback, small; afterwards none of its processes is left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil

from rl.config.rollouts import RolloutsConfig
from rl.rollouts.workers.ray_pool import Connection, connect
from rl.rollouts.workers.ray_session import session_processes


@contextmanager
def one_ray() -> Iterator[Connection]:
    """Ray, started by this process; whoever is given the connection does not end it."""
    connection = connect(RolloutsConfig(workers=20, cpus=0.1, object_store_mb=80), cpus=2.0)
    import ray  # not before: it reads at import how callers prove who they are

    try:
        yield replace(connection, owned=False)
    finally:
        ray.shutdown()
        _, left = psutil.wait_procs(list(session_processes(connection.session)), timeout=60.0)
    assert left == []
