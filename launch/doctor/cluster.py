"""The cluster: what Ray sees of it, and whether its nodes agree."""

import os
import time

import ray
from ray.exceptions import GetTimeoutError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from launch.doctor.check import Check

CLOCK_SKEW = 2.0
TIMEOUT_SECONDS = 30.0


def check_cluster() -> list[Check]:
    """The nodes of the cluster that RAY_ADDRESS names; without one, a run starts Ray on this machine by itself."""
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        return [Check(name="ray", level="pass", found=f"{ray.__version__}; no RAY_ADDRESS: a run starts its own")]
    try:
        ray.init(address=address, log_to_driver=False, namespace="heed-doctor")
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        fix = "start it (ray start --head), or unset RAY_ADDRESS to let a run start its own"
        return [Check(name="ray", level="fail", found=f"{address} does not answer: {reason}", fix=fix)]
    try:
        return [_nodes(), _clocks()]
    finally:
        ray.shutdown()


def _nodes() -> Check:
    nodes = ray.nodes()
    dead = [node["NodeManagerAddress"] for node in nodes if not node["Alive"]]
    resources = ray.cluster_resources()
    found = (
        f"{len(nodes) - len(dead)} node(s), {resources.get('CPU', 0):g} CPUs, {resources.get('GPU', 0):g} GPUs, "
        f"{resources.get('memory', 0) / 1e9:.0f} GB"
    )
    if not dead:
        return Check(name="ray", level="pass", found=found)
    return Check(
        name="ray",
        level="warn",
        found=f"{found}; gone: {', '.join(dead)}",
        fix="restart those nodes, or plan without them",
    )


def _clocks() -> Check:
    """How far the nodes' clocks are apart, from one task on each."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    read = ray.remote(num_cpus=0)(time.time)
    places = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in alive]
    started = time.time()
    asked = [read.options(scheduling_strategy=place).remote() for place in places]
    try:
        times = ray.get(asked, timeout=TIMEOUT_SECONDS)
    except GetTimeoutError:
        found = f"not every node ran a task within {TIMEOUT_SECONDS:.0f} s"
        return Check(
            name="nodes' clocks", level="fail", found=found, fix="`ray status` shows which node is full or gone"
        )
    # each time was read between the question and now, so only what lies outside that counts
    apart = max(max(started - other, other - time.time(), 0.0) for other in times)
    if apart <= CLOCK_SKEW:
        return Check(name="nodes' clocks", level="pass", found=f"within {apart:.1f} s of this one")
    return Check(
        name="nodes' clocks",
        level="warn",
        found=f"{apart:.1f} s apart",
        fix="set up time synchronisation on every node",
    )
