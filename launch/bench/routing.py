"""`heed bench routing`: one adapter against several of the same number of parameters, on families that pull apart."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import Path
from statistics import fmean
from typing import Any

from peft import PeftModel, get_peft_model
from rich.console import Console

from data.problems import Problem
from data.toy_tasks import families
from data.toy_tasks.families import MARKS, family_problem, rule_score
from launch.bench.chain_model import MAX_SOLUTION, warmed_model
from launch.bench.compare import compare, draw
from launch.bench.credit import comparison_table, keep_budget, run_arm
from launch.bench.tasks import HELD_OUT_SEED, Budget
from rl.build import build_route
from rl.common.atomic import write_json
from rl.common.errors import UserError
from rl.config.load import parse_config
from rl.config.root import Config
from rl.models.load import load_model, load_tokenizer
from rl.models.lora import lora_config
from rl.models.tokenization import encode_problems
from rl.rollouts.engine_hf import local_engine
from rl.rollouts.generation import generation_config
from rl.rollouts.types import RolloutRequest
from rl.trainers.base import AdapterTrainer

ARMS: dict[str, dict[str, Any]] = {
    "single": {"lora": {"r": 16, "alpha": 32}},
    "oracle": {"lora": {"r": 4, "alpha": 8}, "routing": {"adapters": list(MARKS), "router": "task"}},
    "attention": {"lora": {"r": 4, "alpha": 8}, "routing": {"adapters": list(MARKS), "router": "attention"}},
    "kmeans": {"lora": {"r": 4, "alpha": 8}, "routing": {"adapters": list(MARKS), "router": "kmeans"}},
}
"""Four adapters of rank 4 have as many parameters as one of rank 16; `oracle` is told the family."""
BUDGET = Budget(steps=100, num_problems=2048, num_held_out=256, groups=8, num_generations=8, learning_rate=1e-3)


@dataclass(frozen=True)
class Families:
    """Four rules that pull apart, on the model of 1.2 M parameters that half knows chains."""

    budget: Budget = BUDGET

    def tree(self, seed: int, budget: Budget) -> dict[str, Any]:
        return {
            "model": {"name": str(warmed_model(0.4)), "dtype": "float32"},
            "data": {"seed": seed, "held_out": 0},
            "rewards": {"satisfaction_weight": 0.0, "functions": [f"{families.__file__}:family_reward"]},
            "credit": {"rule": "uniform"},
            "trainer": {
                "per_device_train_batch_size": budget.groups * budget.num_generations,
                "num_generations": budget.num_generations,
                "max_completion_length": MAX_SOLUTION,
                "max_steps": budget.steps,
                "save_steps": budget.steps,
                "learning_rate": budget.learning_rate,
                "seed": seed,
            },
        }

    def problems(self, config: Config, seed: int, budget: Budget) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        trained = tuple(family_problem(seed, index) for index in range(budget.num_problems))
        return trained, tuple(family_problem(HELD_OUT_SEED, index) for index in range(budget.num_held_out))

    def held_out_score(self, trainer: AdapterTrainer, config: Config, held_out: Sequence[Problem]) -> float:
        """Mean of how well the held-out rules are kept, greedy."""
        tokenizer = trainer.policy_tokenizer
        generation = generation_config(config.trainer, config.rollouts, temperature=0.0)
        engine = local_engine(trainer.policy, tokenizer, generation, config.routing)
        request = RolloutRequest(
            position=0,
            prompts=tuple(encode_problems(tokenizer, held_out)),
            num_generations=1,
            version=0,
            seed=0,
            tasks=tuple(problem.task for problem in held_out),
        )
        ids = [list(sample.completion_ids) for sample in engine.sample(request)]
        texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
        return fmean(rule_score(text, problem.task) for text, problem in zip(texts, held_out, strict=True))


def bench_routing(arms: Sequence[str], seeds: int, *, folder: Path, budget: Budget = BUDGET) -> dict[str, Any]:
    """Train each arm with each seed, skip what `folder` has, and write `routing.json` and `routing.png`.

    Raises UserError for an unknown arm, for fewer than two seeds, and for a folder of another budget.
    """
    if unknown := [name for name in arms if name not in ARMS]:
        raise UserError(f"unknown arm {unknown[0]!r}; there is {', '.join(ARMS)}")
    if seeds < 2:
        raise UserError(f"got --seeds {seeds}; an interval needs at least 2")
    keep_budget(folder, "families", budget)
    console, task, trained = Console(), Families(), []
    names = list(dict.fromkeys(["single", *arms]))
    for seed in range(seeds):
        for name in names:
            config = _arm_config(task, name, seed, budget, folder)
            trained.append(run_arm(task, name, seed, config, budget, folder))
            console.print(f"{name} seed {seed}: held-out {trained[-1].scores[0]:.3f} -> {trained[-1].scores[-1]:.3f}")
    comparisons = compare(trained, names, base="single")
    routers = {name: _router_accuracies(task, name, seeds, budget, folder) for name in names if "routing" in ARMS[name]}
    result = {
        "budget": asdict(budget),
        "arms": [asdict(arm) for arm in trained],
        "comparisons": [asdict(one) for one in comparisons],
        "router_accuracy": routers,
    }
    write_json(folder / "routing.json", result)
    draw(trained, names, folder / "routing.png")
    console.print(comparison_table(comparisons, seeds, base="single"))
    console.print({name: [round(value, 3) for value in found] for name, found in routers.items()})
    return result


def _arm_config(task: Families, name: str, seed: int, budget: Budget, folder: Path) -> Config:
    run = {"folder": str(folder / "arms" / f"{name}-{seed}")}
    return parse_config({**task.tree(seed, budget), **ARMS[name], "run": run})


def _router_accuracies(task: Families, name: str, seeds: int, budget: Budget, folder: Path) -> list[float]:
    """Of each seed, the share of held-out prompts that their family's adapter answers.

    `kmeans` knows no families: it is given the naming of its adapters that suits it best.
    """
    found = []
    for seed in range(seeds):
        config = _arm_config(task, name, seed, budget, folder)
        trained, held_out = task.problems(config, seed, budget)
        tokenizer = load_tokenizer(config.model.name)
        policy = get_peft_model(load_model(config.model.name), lora_config(config.lora))
        assert isinstance(policy, PeftModel)
        route = build_route(config, policy, tokenizer, trained)
        leading = (
            route.gates(encode_problems(tokenizer, held_out), [one.task for one in held_out]).argmax(dim=1).tolist()
        )
        found.append(_agreement(leading, [list(MARKS).index(one.task) for one in held_out], named=name != "kmeans"))
    return found


def _agreement(leading: Sequence[int], families: Sequence[int], *, named: bool) -> float:
    namings = [tuple(range(len(MARKS)))] if named else list(permutations(range(len(MARKS))))
    pairs = list(zip(leading, families, strict=True))
    return max(fmean(naming[adapter] == family for adapter, family in pairs) for naming in namings)
