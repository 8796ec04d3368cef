"""Arms as Ray tasks: several at a time, on this machine or on the cluster at RAY_ADDRESS."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from launch.bench.arms import Arm, Outcome, Pool, result_or_error, train_in_turn
from rl.config.rollouts import RolloutsConfig
from rl.rollouts.workers.ray_pool import connect


@contextmanager
def arm_pool(jobs: int) -> Iterator[Pool]:
    """Yield what trains arms, at most `jobs` at a time: one in this process, several as Ray tasks of one CPU each."""
    if jobs == 1:
        yield train_in_turn
        return
    connection = connect(RolloutsConfig(), cpus=float(jobs))
    try:
        yield partial(train_on_ray, jobs=jobs)
    finally:
        connection.close()


def train_on_ray(arms: Sequence[Arm], bench: Path, *, jobs: int) -> Iterator[tuple[Arm, Outcome]]:
    """Yield each arm with its outcome as it ends; a lost process is an outcome, too."""
    import ray

    train = ray.remote(num_cpus=1, max_retries=0)(result_or_error)
    waiting, running = list(reversed(arms)), {}
    while waiting or running:
        while waiting and len(running) < jobs:
            arm = waiting.pop()
            running[train.remote(arm, bench.absolute())] = arm
        [ended], _ = ray.wait(list(running))
        yield running.pop(ended), _outcome(ended)


def _outcome(ended: Any) -> Outcome:
    import ray
    from ray.exceptions import RayError

    try:
        return ray.get(ended)
    except RayError as error:
        return str(error)
