"""The tasks of `heed bench credit`: what every arm of a comparison is given, and how it is scored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from data.problems import Problem
from data.toy_tasks import arithmetic
from data.toy_tasks.arithmetic import chain_problem
from launch.bench.chain_model import GREEDY, MAX_SOLUTION, chain_accuracy, warmed_model
from launch.recipes import load_recipe
from rl.common.errors import UserError
from rl.config.root import Config
from rl.datasets import load_problems
from rl.evaluation.command import evaluate_policy
from rl.rollouts.engine_hf import TransformersEngine
from rl.trainers.base import AdapterTrainer

HELD_OUT_SEED = 2_000_003


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What every arm gets."""

    steps: int
    num_problems: int
    num_held_out: int
    groups: int
    """Prompts a step."""
    num_generations: int
    learning_rate: float


class Task(Protocol):
    """What arms learn."""

    @property
    def budget(self) -> Budget:
        """Unless the user asks for another."""
        ...

    def tree(self, seed: int, budget: Budget) -> dict[str, Any]:
        """The settings of an arm but its credit and its folder."""
        ...

    def problems(self, config: Config, seed: int, budget: Budget) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        """What is trained on and what is held out."""
        ...

    def held_out_score(self, trainer: AdapterTrainer, config: Config, held_out: Sequence[Problem]) -> float:
        """The policy's held-out score, greedy."""
        ...


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Chains of the larger and the smaller of two digits, on a model of 1.2 M parameters that half knows them."""

    start: float = 0.4
    """Share of the chains that the model gets right that all arms start from."""
    budget: Budget = Budget(
        steps=120, num_problems=2048, num_held_out=256, groups=8, num_generations=8, learning_rate=3e-4
    )

    def tree(self, seed: int, budget: Budget) -> dict[str, Any]:
        return {
            "model": {"name": str(warmed_model(self.start)), "dtype": "float32"},
            "data": {"seed": seed, "held_out": 0},
            "rewards": {
                "satisfaction_weight": 0.0,
                "functions": [f"{arithmetic.__file__}:exact_answer"],
            },
            "probe": {"horizon": [2, 10], "window": 5},
            "lora": {"r": 16, "alpha": 32},
            "trainer": {
                "per_device_train_batch_size": budget.groups * budget.num_generations,
                "num_generations": budget.num_generations,
                "max_completion_length": MAX_SOLUTION,
            },
        }

    def problems(self, config: Config, seed: int, budget: Budget) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        trained = tuple(chain_problem(seed, index) for index in range(budget.num_problems))
        return trained, tuple(chain_problem(HELD_OUT_SEED, index) for index in range(budget.num_held_out))

    def held_out_score(self, trainer: AdapterTrainer, config: Config, held_out: Sequence[Problem]) -> float:
        engine = TransformersEngine(trainer.policy, trainer.policy_tokenizer, GREEDY)
        return chain_accuracy(engine, held_out)


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """The quickstart's constraint prompts on SmolLM2, for a quarter of an hour an arm on two cores."""

    recipe: str = "quickstart"
    budget: Budget = Budget(
        steps=36, num_problems=512, num_held_out=160, groups=4, num_generations=8, learning_rate=1e-3
    )

    def tree(self, seed: int, budget: Budget) -> dict[str, Any]:
        tree = load_recipe(self.recipe).model_dump(mode="json")
        tree["data"] |= {"num_problems": budget.num_problems, "held_out": budget.num_held_out}
        tree["trainer"] |= {
            "per_device_train_batch_size": budget.num_generations,
            "gradient_accumulation_steps": budget.groups,
            "num_generations": budget.num_generations,
        }
        return tree

    def problems(self, config: Config, seed: int, budget: Budget) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        found = load_problems(config.data)
        return found.train, found.held_out

    def held_out_score(self, trainer: AdapterTrainer, config: Config, held_out: Sequence[Problem]) -> float:
        return evaluate_policy(config, trainer.policy, trainer.policy_tokenizer, held_out).summary()["pass_rate"]


TASKS: dict[str, Task] = {"chain": Chain(), "constraints": Constraints()}


def budget_of(task: str, steps: int | None) -> Budget:
    """The task's own budget, or as many steps as are asked for. Raises UserError for an unknown task."""
    if task not in TASKS:
        raise UserError(f"unknown task {task!r}; there is {', '.join(TASKS)}")
    own = TASKS[task].budget
    return own if steps is None else replace(own, steps=steps)
