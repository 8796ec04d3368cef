"""Ray Train: the ranks of a run placed over a cluster's nodes, and started again when one is lost."""

import os
import shutil
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from launch.ranks.ray_rank import RankLost, cause_of, train_rank
from launch.ranks.resume import restart_config
from rl.config.root import Config
from rl.rollouts.workers.ray_pool import connect
from rl.rollouts.workers.ray_session import end_recorded_session, record_session
from rl.runs.folder import next_folder
from rl.runs.signals import STOP, SignalHandler, request_stop

LOOK = 0.2
"""Seconds between looks at what the first rank printed, and at whether all are done."""
RANK_LOG = "rank-{}.log"
"""In the run folder: what a rank printed; the first one's is printed here, too."""
SCRATCH = "ray-train"
"""In the run folder, while the ranks run: Ray Train makes sure there that all nodes see the folder."""
RAY_TRAIN_ENV = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # ranks stay where relative paths mean something
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # print prints
}
"""Read by Ray Train when it starts."""


def train_on_ray(config: Config) -> Path:
    """Train with `distributed.processes` ranks on Ray, wherever it has room for them, and return the run folder.

    Raises what `rl.train.train` raises; RunFailure, too, once ranks were lost more than `distributed.restarts` times.
    """
    config = _placed(config)
    folder = config.resume or config.run.folder
    assert folder is not None
    end_recorded_session(folder)
    (folder / STOP).unlink(missing_ok=True)
    ranks, rollouts = config.distributed, config.rollouts
    cpus = ranks.processes * ranks.cpus + rollouts.workers * rollouts.cpus
    connection = connect(rollouts, cpus=cpus)
    stopping = SignalHandler(config.run.grace, pass_on=partial(request_stop, folder))
    try:
        stopping.take()
        for restart in range(1, ranks.restarts + 2):
            if connection.started:
                record_session(folder, connection.session)
            try:
                _run_ranks(config, folder)
                break
            except RankLost as error:
                if restart > ranks.restarts or stopping.interrupted:
                    raise
                print(f"{error}\nStarting again: restart {restart} of {ranks.restarts}", flush=True)
                config = restart_config(config, folder)
    finally:
        stopping.restore()
        connection.close()
    if stopping.preempted and not (folder / "summary.json").exists():
        raise SystemExit(0)  # saved, and whoever took the machine away did nothing wrong
    return folder


def _placed(config: Config) -> Config:
    """The config with a folder that every rank knows, from wherever it starts."""
    if config.resume is not None:
        return config.model_copy(update={"resume": config.resume.absolute()})
    folder = (config.run.folder or next_folder(config.run.name)).absolute()
    return config.model_copy(update={"run": config.run.model_copy(update={"folder": folder})})


def _run_ranks(config: Config, folder: Path) -> None:
    """Start all ranks and wait for them. Raises the first rank's mistake, or Lost."""
    from ray.train import TrainingFailedError

    trainer, outcome = _trainer(config, folder), []
    log = folder / RANK_LOG.format(0)
    told = log.stat().st_size if log.exists() else 0  # by an earlier start

    def fit() -> None:
        try:
            trainer.fit()
        except BaseException as error:  # raised again below, in the thread that can act on it
            outcome.append(error)

    # Ray's own handler of Ctrl-C, which saves nothing, is set in main threads only.
    fitting = threading.Thread(target=fit, name="heed-ranks", daemon=True)
    fitting.start()
    while fitting.is_alive():
        time.sleep(LOOK)
        told += _print_from(log, told)
    shutil.rmtree(folder / SCRATCH, ignore_errors=True)  # another node may still hold a file in it
    if outcome:
        raise cause_of(outcome[0]) if isinstance(outcome[0], TrainingFailedError) else outcome[0]


def _print_from(log: Path, place: int) -> int:
    """Print what the file holds from there on; return how many bytes that were, whole lines only."""
    if not log.exists():
        return 0
    with log.open("rb") as file:
        file.seek(place)
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
            "here": str(Path.cwd()),
            "log": str(folder / RANK_LOG),
        },
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
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
