"""Checks of the Ray cluster: its nodes and resources, and whether the nodes' clocks agree."""

import os
import time

import ray
from ray.exceptions import GetTimeoutError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from launch.doctor.check import Check

CLOCK_SKEW = 2.0
"""Seconds between two clocks above which times cannot be compared."""
TIMEOUT_SECONDS = 30.0
"""Seconds for one small task on every node."""


def check_cluster() -> list[Check]:
    """Check the cluster that RAY_ADDRESS names; without the variable, a run starts Ray on this machine by itself."""
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        return [Check(name="ray", level="pass", finding=f"{ray.__version__}; no RAY_ADDRESS: a run starts its own")]
    try:
        ray.init(address=address, log_to_driver=False, namespace="heed-doctor")
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        fix = "start it (ray start --head), or unset RAY_ADDRESS to let a run start its own"
        return [Check(name="ray", level="fail", finding=f"{address} does not answer: {reason}", fix=fix)]
    try:
        return [_nodes(), _clocks()]
    finally:
        ray.shutdown()


def _nodes() -> Check:
    nodes = ray.nodes()
    dead = [node["NodeManagerAddress"] for node in nodes if not node["Alive"]]
    resources = ray.cluster_resources()
    finding = (
        f"{len(nodes) - len(dead)} node(s), {resources.get('CPU', 0):g} CPUs, {resources.get('GPU', 0):g} GPUs, "
        f"{resources.get('memory', 0) / 1e9:.0f} GB"
    )
    if not dead:
        return Check(name="ray", level="pass", finding=finding)
    return Check(
        name="ray",
        level="warn",
        finding=f"{finding}; dead: {', '.join(dead)}",
        fix="restart those nodes, or plan without them",
    )


def _clocks() -> Check:
    """Compare the nodes' clocks, by one task on each."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    read_clock = ray.remote(num_cpus=0)(time.time)
    strategies = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in alive]
    started = time.time()
    tasks = [read_clock.options(scheduling_strategy=strategy).remote() for strategy in strategies]
    try:
        times = ray.get(tasks, timeout=TIMEOUT_SECONDS)
    except GetTimeoutError:
        finding = f"not every node ran a task within {TIMEOUT_SECONDS:.0f} s"
        return Check(
            name="nodes' clocks", level="fail", finding=finding, fix="`ray status` shows which node is full or gone"
        )
    # each clock was read between `started` and now, so only what lies outside that interval is skew
    skew = max(max(started - other, other - time.time(), 0.0) for other in times)
    if skew <= CLOCK_SKEW:
        return Check(name="nodes' clocks", level="pass", finding=f"within {skew:.1f} s of this one")
    return Check(
        name="nodes' clocks",
        level="warn",
        finding=f"{skew:.1f} s apart",
        fix="set up time synchronisation on every node",
    )
