"""Ray Train: trainer ranks over the nodes of a cluster, started again when one is lost."""

import os
import shutil
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from launch.ranks.ray_rank import RankLost, cause_of, train_rank
from launch.ranks.resume import restart_config
from rl.common.distributed import group_timeout
from rl.config.root import Config
from rl.rollouts.workers.ray_pool import Connection, connect
from rl.rollouts.workers.ray_session import end_recorded_session, record_session
from rl.runs.folder import claim_folder
from rl.runs.lock import run_lock
from rl.runs.signals import STOP, SignalHandler, request_stop

POLL_SECONDS = 0.2
"""Time between checks of the first rank's log and of whether all ranks are done."""
RANK_LOG = "rank-{}.log"
"""In the run folder: the output of one rank; the first rank's is also printed by the command."""
SCRATCH = "ray-train"
"""In the run folder while the ranks run: Ray Train checks there that all nodes see the folder."""
RAY_TRAIN_ENV = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # keeps relative paths valid
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # keeps print as it is
}
"""Environment variables that Ray Train reads when it starts."""


def train_on_ray(config: Config) -> Path:
    """Train with `distributed.processes` ranks that Ray places, and return the run folder.

    Raises what `rl.train.train` raises, and RunFailure once ranks were lost more than `distributed.restarts` times.
    """
    config = _with_folder(config)
    folder = config.resume or config.run.folder
    assert folder is not None
    with run_lock(folder):
        end_recorded_session(folder)
        (folder / STOP).unlink(missing_ok=True)
    ranks, rollouts = config.distributed, config.rollouts
    cpus = ranks.processes * ranks.cpus + rollouts.ray_workers * rollouts.cpus
    connection = connect(rollouts, cpus=cpus)
    signals = SignalHandler(config.run.grace, forward=partial(request_stop, folder))
    try:
        signals.install()
        for restart in range(1, ranks.restarts + 2):
            try:
                _run_ranks(config, folder, connection)
                break
            except RankLost as error:
                if restart > ranks.restarts or signals.interrupted:
                    raise
                print(f"{error}\nStarting again: restart {restart} of {ranks.restarts}", flush=True)
                config = restart_config(config, folder)
    finally:
        signals.uninstall()
        connection.close()
    return folder


def _with_folder(config: Config) -> Config:
    """Return the config with an absolute run folder, which every rank can find and which exists."""
    if config.resume is not None:
        return config.model_copy(update={"resume": config.resume.absolute()})
    folder = claim_folder(config.run).absolute()
    return config.model_copy(update={"run": config.run.model_copy(update={"folder": folder})})


def _run_ranks(config: Config, folder: Path, connection: Connection) -> None:
    """Start all ranks and wait for them, in the locked folder. Raises what `_wait_for_ranks` does."""
    folder.mkdir(parents=True, exist_ok=True)  # before a restart it may have been moved aside
    with run_lock(folder):
        if connection.started:
            record_session(folder, connection.session)
        _wait_for_ranks(config, folder)


def _wait_for_ranks(config: Config, folder: Path) -> None:
    """Start all ranks and wait for them. Raises the ranks' error that explains most, or RankLost."""
    from ray.train import TrainingFailedError

    trainer, errors = _trainer(config, folder), []
    log = folder / RANK_LOG.format(0)
    printed = log.stat().st_size if log.exists() else 0  # by an earlier start

    def fit() -> None:
        try:
            trainer.fit()
        except BaseException as error:  # raised again below, in the thread that can act on it
            errors.append(error)

    # Ray handles Ctrl-C in main threads, without saving.
    thread = threading.Thread(target=fit, name="heed-ranks", daemon=True)
    thread.start()
    while thread.is_alive():
        time.sleep(POLL_SECONDS)
        printed += _print_from(log, printed)
    shutil.rmtree(folder / SCRATCH, ignore_errors=True)  # another node may still hold a file in it
    if errors:
        raise cause_of(errors[0]) if isinstance(errors[0], TrainingFailedError) else errors[0]


def _print_from(log: Path, offset: int) -> int:
    """Print the log's complete lines from the offset on; return their length in bytes."""
    if not log.exists():
        return 0
    with log.open("rb") as file:
        file.seek(offset)
        lines = file.read().rpartition(b"\n")
    print(lines[0].decode(errors="replace"), end=lines[1].decode(), flush=True)
    return len(lines[0]) + len(lines[1])


def _trainer(config: Config, folder: Path) -> Any:
    import ray

    os.environ.update(RAY_TRAIN_ENV, RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S=str(config.rollouts.start_limit))
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    ranks = config.distributed
    gpus = ranks.gpus or (1.0 if ray.cluster_resources().get("GPU") else 0.0)
    return TorchTrainer(
        train_rank,
        train_loop_config={
            "settings": config.model_dump(mode="json"),
            "directory": str(Path.cwd()),
            "log": str(folder / RANK_LOG),
        },
        torch_config=TorchConfig(
            backend="nccl" if gpus else "gloo",
            timeout_s=int(group_timeout(config.rollouts.longest_wait).total_seconds()),
        ),
        scaling_config=ScalingConfig(
            num_workers=ranks.processes,
            use_gpu=bool(gpus),
            resources_per_worker={"CPU": ranks.cpus, **({"GPU": gpus} if gpus else {})},
            placement_strategy="SPREAD" if ranks.nodes > 1 else "PACK",
        ),
        run_config=RunConfig(
            name=SCRATCH,
            storage_path=str(folder),
            failure_config=FailureConfig(max_failures=0, controller_failure_limit=0, max_preemption_failures=0),
        ),
    )
