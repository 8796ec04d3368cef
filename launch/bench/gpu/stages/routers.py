"""Stage: routers fitted on the device, and steps of a training that they route."""

import time
from collections.abc import Iterator
from dataclasses import replace

from data.problems import Problem
from launch.bench.gpu.stage import Row, Setup
from launch.bench.gpu.trainings import training_config
from rl.build import trainer_context
from rl.config.root import Config
from rl.datasets import load_problems

ROUTERS = ("task", "attention", "kmeans", "probe")
ADAPTERS = ["left", "right"]


def measure(setup: Setup) -> Iterator[Row]:
    """Yield the time to build and fit each router, and of its routed steps."""
    for router in ROUTERS:
        routing = {"adapters": ADAPTERS, "router": router, "fit_steps": 20}
        config = training_config(setup, routing=routing, trainer={"max_steps": 2})
        yield {"router": router} | router_row(config, setup)


def router_row(config: Config, setup: Setup) -> Row:
    started = time.perf_counter()
    with trainer_context(config, setup.folder / config.routing.router, tasked_problems(config), []) as trainer:
        built = time.perf_counter()
        trainer.train()
        assert trainer.route is not None
        devices = sorted({tensor.device.type for tensor in trainer.route.router.state_dict().values()})
    steps = [line for line in trainer.state.log_history if "loss" in line]
    return {
        "build_seconds": built - started,
        "train_seconds": time.perf_counter() - built,
        "devices": devices,
        "load": {name: steps[-1][f"routing/load/{name}"] for name in ADAPTERS},
        "loss": steps[-1]["loss"],
    }


def tasked_problems(config: Config) -> tuple[Problem, ...]:
    """Return the training problems, whose tasks are the adapters' names in turn."""
    problems = load_problems(config.data).train
    return tuple(replace(problem, task=ADAPTERS[index % 2]) for index, problem in enumerate(problems))
