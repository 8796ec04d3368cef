"""Six problems: small combinatorial instances, answered in one of two texts by a model of a million parameters."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from statistics import fmean
from typing import Any

from transformers import PreTrainedTokenizerFast

from data.combinatorial.references import reference_of
from data.combinatorial.rows import draw_instance, instance_problem, solution_outcome, with_reference
from data.problems import Problem, user_text
from launch.bench.chain_model import EVALUATION_SEED, Exercise, pretrained_model, sampled_texts, word_tokenizer
from launch.bench.tasks import HELD_OUT_SEED, Budget, HeldOutScore
from rewards.feasibility import quality
from rewards.feasibility.instance import Instance
from rewards.feasibility.problems import from_json
from rewards.feasibility.quality import Outcome, metrics
from rewards.feasibility.texts import TextKind, write
from rl.config.root import Config
from rl.rollouts.engine_hf import local_engine
from rl.rollouts.generation import generation_config
from rl.trainers.base import AdapterTrainer

SIZES = {"tsp": 5, "cvrp": 4, "knapsack": 5, "flow_shop": 4, "job_shop": 3, "bin_packing": 5}
"""Problem -> size of its instances, which are drawn in turn."""
MAX_TOKENS = {"plain": 32, "stepwise": 128}
"""Enough for the longest answer and its end-of-text token."""
START_FEASIBLE = 0.4
"""Share of feasible answers that the model gives before any arm trains it."""
NUM_SAMPLES, NUM_SAMPLED = 8, 96
"""Samples of each of so many held-out problems, of which the best is taken."""

BUDGET = Budget(steps=100, num_problems=1536, num_held_out=240, groups=12, num_generations=8, learning_rate=5e-4)

PIECE = r" ?[a-z_]+:? ?|[0-9]+|\n| ?[-+=,:\[\]]+ ?| "
"""A token: a number, a word, a mark or the end of a line, with the spaces beside it."""
NUM_TEXTS, LARGEST_NUMBER = 20, 99


@dataclass(frozen=True, kw_only=True)
class SixProblems:
    """Instances of six problems in turn, on a model that was pretrained on exact solutions in the same kind of text."""

    kind: TextKind
    budget: Budget = BUDGET

    def settings(self, seed: int, budget: Budget) -> dict[str, Any]:
        model = pretrained_model(START_FEASIBLE, exercise(self.kind))
        return {
            "model": {"name": str(model), "dtype": "float32"},
            "data": {"seed": seed, "held_out": 0},
            "rewards": {
                "satisfaction_weight": 1.0 - quality.WEIGHT,
                "unfinished": 0.0,
                "functions": [f"{quality.__file__}:solution_quality"],
            },
            "probe": {"horizon": [1, 10], "window": 5},
            "trainer": {
                "per_device_train_batch_size": budget.groups * budget.num_generations,
                "num_generations": budget.num_generations,
                "max_completion_length": MAX_TOKENS[self.kind],
            },
        }

    def problems(self, config: Config, seed: int, budget: Budget) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        trained = tuple(small_problem(seed, index, kind=self.kind) for index in range(budget.num_problems))
        held_out = range(budget.num_held_out)
        return trained, tuple(small_problem(HELD_OUT_SEED, index, kind=self.kind) for index in held_out)

    def held_out_score(self, trainer: AdapterTrainer, config: Config, held_out: Sequence[Problem]) -> HeldOutScore:
        """Return the share of feasible answers with greedy decoding, and of optimal ones.

        After the last step the details are feasibility, objective and gap of each problem, greedy and as the best of
        `NUM_SAMPLES` by our verifier, which does not know the optimum.
        """
        greedy = [found for [found] in self._outcomes(trainer, config, held_out, temperature=0.0, samples=1)]
        details: dict[str, float] = {}
        if trainer.state.global_step >= config.trainer.max_steps:
            sampled = self._outcomes(trainer, config, held_out[:NUM_SAMPLED], temperature=1.0, samples=NUM_SAMPLES)
            best = [best_of(found) for found in sampled]
            for name, outcomes in (("greedy", greedy), (f"best_of_{NUM_SAMPLES}", best)):
                details |= {f"{name}/{key}": value for key, value in metrics(outcomes).items()}
        return HeldOutScore(
            mean=fmean(found.is_feasible for found in greedy),
            perfect=fmean(found.gap is not None and found.gap <= 0 for found in greedy),
            details=details,
        )

    def _outcomes(
        self, trainer: AdapterTrainer, config: Config, problems: Sequence[Problem], *, temperature: float, samples: int
    ) -> list[list[Outcome]]:
        generation = generation_config(config.trainer, config.rollouts, temperature=temperature)
        engine = local_engine(trainer.policy, trainer.policy_tokenizer, generation, config.routing)
        texts = sampled_texts(engine, problems, samples=samples)
        found = [problem_outcome(text, problems[row // samples]) for row, text in enumerate(texts)]
        return [found[row : row + samples] for row in range(0, len(found), samples)]


def small_problem(seed: int, index: int, *, kind: TextKind) -> Problem:
    """Return problem `index` of the stream `seed`, with its optimum as the reference.

    Example:
        small_problem(0, 2, kind="plain")    # a knapsack of five items
    """
    name = list(SIZES)[index % len(SIZES)]
    instance = draw_instance(name, seed, index, SIZES[name])
    problem = instance_problem(f"{name}-{seed}-{index}", instance, kind, compact=True)
    return with_reference(problem, reference_of(instance), instance)


def problem_outcome(text: str, problem: Problem) -> Outcome:
    """Return the outcome of an answer."""
    found = solution_outcome(problem, text)
    assert found is not None, "each has rules of feasibility"
    return found


def best_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the feasible outcome of the best objective, or the first where none is feasible."""
    feasible = [found for found in outcomes if found.gap is not None]
    # the gap orders the answers to one problem as their objectives do
    return min(feasible, key=lambda found: found.gap or 0.0) if feasible else outcomes[0]


def exercise(kind: TextKind) -> Exercise:
    """Return what the model is pretrained on: optimal solutions in this kind of text."""
    return Exercise(
        name=f"six-problems-{kind}",
        problem=partial(small_problem, kind=kind),
        solution=solution_text,
        score=lambda text, problem: float(problem_outcome(text, problem).is_feasible),
        evaluate_every=50,
        tokenizer=tokenizer,
        max_tokens=MAX_TOKENS[kind],
        learning_rate=2e-3,
        warm_up=100,
    )


def solution_text(problem: Problem) -> str:
    """Return the reference solution in the kind of text that the problem asks for."""
    instance, kind = _asked(problem)
    return write(instance, tuple(map(tuple, json.loads(problem.extras["solution"]))), kind)


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer whose tokens are numbers, and words and marks of all texts of the six problems."""
    return word_tokenizer([*map(str, range(LARGEST_NUMBER + 1)), *_words()], pattern=PIECE)


@cache
def _words() -> tuple[str, ...]:
    """Return the words and marks that occur in the first problems and their solutions."""
    kinds: tuple[TextKind, ...] = ("plain", "stepwise")
    problems = [small_problem(EVALUATION_SEED, index, kind=kind) for index in range(NUM_TEXTS * 6) for kind in kinds]
    pieces = {piece for one in problems for piece in re.findall(PIECE, user_text(one) + solution_text(one))}
    return tuple(sorted(piece for piece in pieces if not piece.isdecimal()))


def _asked(problem: Problem) -> tuple[Instance, TextKind]:
    kwargs: Mapping[str, Any] = problem.constraints[0].kwargs
    return from_json(kwargs["instance"]), kwargs["text"]
