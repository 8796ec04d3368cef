"""`heed bench routing`: one adapter against several with as many parameters in all, on families of opposed rules."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import permutations
from pathlib import Path
from statistics import fmean
from typing import Any

from peft import PeftModel, get_peft_model
from rich.console import Console

from data.toy_tasks.families import MARKS
from launch.bench.arms import Arm, check_seeds, record_budget, train_in_turn
from launch.bench.compare import report_arms
from launch.bench.runner import ArmRunner
from launch.bench.tasks import Budget, Families
from rl.build import build_route
from rl.common.errors import UserError
from rl.config.root import Config
from rl.models.load import configured_tokenizer, load_model
from rl.models.lora import lora_config
from rl.models.tokenization import encode_problems

TASK = Families()
BASELINE = "single"
ARMS: dict[str, dict[str, Any]] = {
    BASELINE: {"lora": {"r": 16, "alpha": 32}},
    "oracle": {"lora": {"r": 4, "alpha": 8}, "routing": {"adapters": list(MARKS), "router": "task"}},
    "attention": {"lora": {"r": 4, "alpha": 8}, "routing": {"adapters": list(MARKS), "router": "attention"}},
    "kmeans": {"lora": {"r": 4, "alpha": 8}, "routing": {"adapters": list(MARKS), "router": "kmeans"}},
}
"""Four adapters of rank 4 have as many parameters as one of rank 16; `oracle` knows the family."""


def bench_routing(arms: Sequence[str], seeds: int, *, folder: Path, budget: Budget = TASK.budget) -> dict[str, Any]:
    """Train each arm with each seed, skip finished ones of `folder`, and write `routing.json` and `routing.png`.

    Raises UserError for an unknown arm, for fewer than two seeds, and for a folder of another budget.
    """
    if unknown := [name for name in arms if name not in ARMS]:
        raise UserError(f"unknown arm {unknown[0]!r}; there is {', '.join(ARMS)}")
    check_seeds(seeds)
    record_budget(folder, "families", budget)
    names = list(dict.fromkeys([BASELINE, *arms]))
    trainings = {(name, seed): routing_arm(name, seed, budget) for seed in range(seeds) for name in names}
    console = Console()
    runner = ArmRunner(bench=folder, console=console, total=len(trainings), pool=train_in_turn)
    trained = runner.run(list(trainings.values()))
    runner.raise_if_failed()
    accuracy = {
        name: [
            router_accuracy(trainings[name, seed].config(folder), seed, budget, named=name != "kmeans")
            for seed in range(seeds)
        ]
        for name in names
        if "routing" in ARMS[name]
    }
    extra = {"budget": asdict(budget), "router_accuracy": accuracy}
    result = report_arms(trained, names, folder / "routing", extra, console)
    console.print({name: [round(value, 3) for value in values] for name, values in accuracy.items()})
    return result


def routing_arm(name: str, seed: int, budget: Budget) -> Arm:
    """Return one arm."""
    return Arm(name=name, seed=seed, task=TASK, budget=budget, settings=ARMS[name])


def router_accuracy(config: Config, seed: int, budget: Budget, *, named: bool) -> float:
    """Return the share of held-out prompts that are routed to their family's adapter.

    A router without names (`named` False, as `kmeans`) is given the assignment of families to adapters that suits it
    best.
    """
    trained, held_out = TASK.problems(config, seed, budget)
    tokenizer = configured_tokenizer(config.model)
    policy = get_peft_model(load_model(config.model.name), lora_config(config.lora))
    assert isinstance(policy, PeftModel)
    route = build_route(config, policy, tokenizer, trained)
    gates = route.gates(encode_problems(tokenizer, held_out), [problem.task for problem in held_out])
    families = [list(MARKS).index(problem.task) for problem in held_out]
    return agreement(gates.argmax(dim=1).tolist(), families, named=named)


def agreement(adapters: Sequence[int], families: Sequence[int], *, named: bool) -> float:
    """Return the share of equal indices, if not `named` under the best permutation of the adapters."""
    permuted = [tuple(range(len(MARKS)))] if named else list(permutations(range(len(MARKS))))
    pairs = list(zip(adapters, families, strict=True))
    return max(fmean(order[adapter] == family for adapter, family in pairs) for order in permuted)
