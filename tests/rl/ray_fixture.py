"""Helper: one small Ray for the tests of a module, on the loopback interface."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil

from rl.config.rollouts import RolloutsConfig
from rl.rollouts.workers.ray_pool import Connection, connect
from rl.rollouts.workers.ray_session import session_processes


@contextmanager
def one_ray() -> Iterator[Connection]:
    """Start Ray for the block, as a connection whose users do not end it; afterwards check that no process is left."""
    connection = connect(RolloutsConfig(workers=20, cpus=0.1, object_store_mb=80), cpus=2.0)
    import ray  # only now: it reads at import how to authenticate

    try:
        yield replace(connection, owned=False)
    finally:
        ray.shutdown()
        _, left = psutil.wait_procs(list(session_processes(connection.session)), timeout=60.0)
    assert left == []
