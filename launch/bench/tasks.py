"""The tasks of the benchmarks: the settings and data that every arm of a comparison gets, and how it is scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import fmean
from typing import Any, Protocol

from data.problems import Problem
from data.toy_tasks import arithmetic, families, slots
from data.toy_tasks.arithmetic import chain_problem
from data.toy_tasks.families import family_problem, rule_score
from data.toy_tasks.slots import slot_problem, slot_score
from launch.bench.chain_model import GREEDY, MAX_SOLUTION_TOKENS, Exercise, pretrained_model, sampled_texts, scores
from launch.recipes import load_recipe
from rewards.verifier_args import arguments_model
from rewards.verifiers import VerifierKind
from rl.common.errors import UserError
from rl.config.root import Config
from rl.datasets import load_problems
from rl.evaluation.command import evaluate_policy
from rl.rollouts.engine_hf import TransformersEngine, local_engine
from rl.rollouts.generation import generation_config
from rl.trainers.base import AdapterTrainer

HELD_OUT_SEED = 2_000_003
START_ACCURACY = 0.4
"""Share of the chains that the chain model solves before any arm trains it."""
SLOT_ACCURACY = 0.6
"""Share of the digits that the chain model gets right before any arm of the slots trains it."""
TOY_KINDS = {
    slots.KIND: VerifierKind(verifier=slots.slot_digit, arguments=arguments_model(slots.slot_digit), reads_prompt=True)
}
"""Kinds of constraints that only these tasks have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The training that every arm gets."""

    steps: int
    num_problems: int
    num_held_out: int
    groups: int
    """Prompts a step."""
    num_generations: int
    learning_rate: float
    evaluations: int = 10
    """Held-out scores of a training, besides the one before its first step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOutScore:
    """How well a policy answers the held-out problems."""

    mean: float
    """Mean score of an answer, from 0 to 1."""
    perfect: float
    """Share of the answers with a score of 1."""
    details: Mapping[str, float] = field(default_factory=dict)
    """Further numbers by name, where the task has any."""


class Task(Protocol):
    """A task that arms train on."""

    @property
    def budget(self) -> Budget:
        """The default budget."""
        ...

    def settings(self, seed: int, budget: Budget) -> dict[str, Any]:
        """Return an arm's settings, as a tree, without those of the budget's length and rate, and its folder."""
        ...

    def problems(self, config: Config, seed: int, budget: Budget) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        """Return the training problems and the held-out ones."""
        ...

    def held_out_score(self, trainer: AdapterTrainer, config: Config, held_out: Sequence[Problem]) -> HeldOutScore:
        """Return the policy's held-out score with greedy decoding."""
        ...


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Chains of the larger and the smaller of two digits, on the pretrained chain model."""

    budget: Budget = Budget(
        steps=120, num_problems=2048, num_held_out=256, groups=8, num_generations=8, learning_rate=3e-4
    )

    def settings(self, seed: int, budget: Budget) -> dict[str, Any]:
        return {
            **_chain_model_settings(seed, budget, reward=f"{arithmetic.__file__}:exact_answer"),
            "probe": {"horizon": [2, 10], "window": 5},
            "lora": {"r": 16, "alpha": 32},
        }

    def problems(self, config: Config, seed: int, budget: Budget) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        trained = tuple(chain_problem(seed, index) for index in range(budget.num_problems))
        return trained, tuple(chain_problem(HELD_OUT_SEED, index) for index in range(budget.num_held_out))

    def held_out_score(self, trainer: AdapterTrainer, config: Config, held_out: Sequence[Problem]) -> HeldOutScore:
        """Return the share of correct answers, twice."""
        engine = TransformersEngine(trainer.policy, trainer.policy_tokenizer, GREEDY)
        return _summary(scores(engine, held_out))


@dataclass(frozen=True, kw_only=True)
class Slots:
    """Several independent digits an answer, on a chain model pretrained for as many, one for each seed."""

    slots: int
    shift: int | None = 0
    """How many slots on the evidence of each verdict lies; 0 is its own character. None: a wrong slot has none."""
    budget: Budget = Budget(
        steps=60, num_problems=2048, num_held_out=256, groups=8, num_generations=8, learning_rate=1e-3
    )

    def settings(self, seed: int, budget: Budget) -> dict[str, Any]:
        exercise = Exercise(
            name=f"slots-{self.slots}",
            problem=partial(slot_problem, slots=self.slots),
            solution=lambda problem: str(problem.reference),
            score=lambda text, problem: slot_score(text, str(problem.reference)),
            evaluate_every=2,
        )
        model = pretrained_model(SLOT_ACCURACY, exercise, seed=seed)
        return {
            **_settings(seed, budget, model=str(model), max_completion_length=self.slots + 1),
            "probe": {"horizon": [1, 10], "window": 5},
            "lora": {"r": 16, "alpha": 32},
        }

    def problems(self, config: Config, seed: int, budget: Budget) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        trained, held_out = (
            tuple(slot_problem(stream, index, slots=self.slots, shift=self.shift) for index in range(number))
            for stream, number in ((seed, budget.num_problems), (HELD_OUT_SEED, budget.num_held_out))
        )
        return trained, held_out

    def held_out_score(self, trainer: AdapterTrainer, config: Config, held_out: Sequence[Problem]) -> HeldOutScore:
        """Return the share of right digits, and of answers without a wrong one."""
        generation = generation_config(config.trainer, config.rollouts, temperature=0.0)
        texts = sampled_texts(TransformersEngine(trainer.policy, trainer.policy_tokenizer, generation), held_out)
        return _summary(
            [slot_score(text, str(problem.reference)) for text, problem in zip(texts, held_out, strict=True)]
        )


@dataclass(frozen=True, kw_only=True)
class Families:
    """Four families of chains whose rules contradict each other, on the pretrained chain model."""

    budget: Budget = Budget(
        steps=100, num_problems=2048, num_held_out=256, groups=8, num_generations=8, learning_rate=1e-3
    )

    def settings(self, seed: int, budget: Budget) -> dict[str, Any]:
        tree = _chain_model_settings(seed, budget, reward=f"{families.__file__}:family_reward")
        return {**tree, "credit": {"rule": "uniform"}}

    def problems(self, config: Config, seed: int, budget: Budget) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        trained = tuple(family_problem(seed, index) for index in range(budget.num_problems))
        return trained, tuple(family_problem(HELD_OUT_SEED, index) for index in range(budget.num_held_out))

    def held_out_score(self, trainer: AdapterTrainer, config: Config, held_out: Sequence[Problem]) -> HeldOutScore:
        """Return the mean degree to which answers satisfy their family's rule."""
        generation = generation_config(config.trainer, config.rollouts, temperature=0.0)
        engine = local_engine(trainer.policy, trainer.policy_tokenizer, generation, config.routing)
        texts = sampled_texts(engine, held_out)
        return _summary([rule_score(text, problem.task) for text, problem in zip(texts, held_out, strict=True)])


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """The quickstart's constraint prompts on SmolLM2; an arm takes a quarter of an hour on two cores."""

    recipe: str = "quickstart"
    budget: Budget = Budget(
        steps=36,
        num_problems=512,
        num_held_out=160,
        groups=4,
        num_generations=8,
        learning_rate=1e-3,
        evaluations=3,
    )

    def settings(self, seed: int, budget: Budget) -> dict[str, Any]:
        tree = load_recipe(self.recipe).model_dump(mode="json")
        tree["data"] |= {"num_problems": budget.num_problems, "held_out": budget.num_held_out}
        # An arm may be a Ray task, which holds the CPU that a worker would wait for.
        tree["rollouts"] |= {"workers": 0, "groups_per_unit": None}
        tree["trainer"] |= {
            "per_device_train_batch_size": budget.num_generations,
            "gradient_accumulation_steps": budget.groups,
            "num_generations": budget.num_generations,
        }
        return tree

    def problems(self, config: Config, seed: int, budget: Budget) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        problems = load_problems(config.data)
        return problems.train, problems.held_out

    def held_out_score(self, trainer: AdapterTrainer, config: Config, held_out: Sequence[Problem]) -> HeldOutScore:
        """Return the share of satisfied constraints, and of answers that satisfy all of theirs.

        The details are the share of each kind, and what tells whether the answers are any good besides.
        """
        summary = evaluate_policy(config, trainer.policy, trainer.policy_tokenizer, held_out).summary()
        kinds = {kind: found["satisfied"] / found["of"] for kind, found in summary["kinds"].items()}
        quality = {name: summary[name] for name in ("mean_words", "distinct_share", "on_topic", "not_echo")}
        return HeldOutScore(mean=summary["pass_rate"], perfect=summary["all_satisfied"], details=kinds | quality)


LOCAL_KINDS = (
    "content:starts_with",
    "detectable_content:postscript",
    "detectable_format:title",
    "keywords:existence",
    "punctuation:no_comma",
)
"""Kinds of the quickstart whose evidence is a part of the answer, held or broken."""


@dataclass(frozen=True, kw_only=True)
class SeveralRules(Constraints):
    """Three to five constraints a prompt, each with local evidence, on SmolLM2 by the quickstart's recipe."""

    def settings(self, seed: int, budget: Budget) -> dict[str, Any]:
        tree = super().settings(seed, budget)
        tree["data"] |= {"kinds": LOCAL_KINDS, "min_constraints": 3, "max_constraints": len(LOCAL_KINDS)}
        return tree


FOUR_SLOTS = Slots(slots=4, budget=replace(Slots(slots=4).budget, learning_rate=5e-4))
"""At the rate that the protocol of the slots tuned for `uniform`."""

TASKS: dict[str, Task] = {
    "chain": Chain(),
    "digits": FOUR_SLOTS,
    "hidden-digits": replace(FOUR_SLOTS, shift=None, budget=replace(FOUR_SLOTS.budget, learning_rate=1e-3)),
    "constraints": Constraints(),
    "rules": SeveralRules(),
}
"""The tasks of `heed bench credit` on which rules are chosen freely."""


def budget_of(task: str, steps: int | None) -> Budget:
    """Return the task's budget, with another number of steps if one is given. Raises UserError for an unknown task."""
    if task not in TASKS:
        raise UserError(f"unknown task {task!r}; there is {', '.join(TASKS)}, slots")
    budget = TASKS[task].budget
    return budget if steps is None else replace(budget, steps=steps)


def _summary(values: Sequence[float]) -> HeldOutScore:
    return HeldOutScore(mean=fmean(values), perfect=fmean(value == 1.0 for value in values))


def _chain_model_settings(seed: int, budget: Budget, *, reward: str) -> dict[str, Any]:
    model = str(pretrained_model(START_ACCURACY))
    tree = _settings(seed, budget, model=model, max_completion_length=MAX_SOLUTION_TOKENS)
    return {**tree, "rewards": {"satisfaction_weight": 0.0, "functions": [reward]}}


def _settings(seed: int, budget: Budget, *, model: str, max_completion_length: int) -> dict[str, Any]:
    return {
        "model": {"name": model, "dtype": "float32"},
        "data": {"seed": seed, "held_out": 0},
        "trainer": {
            "per_device_train_batch_size": budget.groups * budget.num_generations,
            "num_generations": budget.num_generations,
            "max_completion_length": max_completion_length,
        },
    }
