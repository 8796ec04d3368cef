"""Evaluation: answers to held-out problems, verified, and compared between two policies problem by problem."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np

from data.problems import Problem, request, user_text
from data.verdicts import verdicts_for
from rewards.guards import distinct_words, not_echo, on_topic
from rewards.trip_wires import takes_shortcut
from rl.common.distributed import map_over_ranks, rank_share
from rl.common.errors import UserError
from rl.common.intervals import bootstrap_interval
from rl.evaluation.custom_rewards import Scores, score_answers
from rl.models.answers import answer_text
from rl.models.tokenization import encode_problems
from rl.rollouts.answering import Answer
from rl.rollouts.thoughts import UNFINISHED_THOUGHT, thought_columns
from rl.rollouts.types import RolloutRequest
from rl.scoring.reward_functions import RewardFunction


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatedAnswer:
    """One held-out completion and the verdicts on its constraints."""

    problem_id: str
    prompt: str
    completion: str
    satisfied: tuple[tuple[str, bool], ...]
    """(kind, satisfied) of each applicable constraint."""
    num_words: int
    distinct_share: float
    on_topic: float
    not_echo: float
    """1 for an answer that does not repeat the prompt."""
    rewards: Scores = ()
    """What the run's own reward functions give it."""
    thought: str = ""
    """What the model thought before it."""
    finished: bool = True
    """False for a thought without an end, which has no answer."""
    hacked: bool = False
    """Whether it satisfies its constraints by a shortcut; only looked for in answers to trip-wire prompts."""

    @property
    def pass_rate(self) -> float | None:
        """Share of the applicable constraints that are satisfied; None if none applies (one about tables, say)."""
        return sum(satisfied for _, satisfied in self.satisfied) / len(self.satisfied) if self.satisfied else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """All held-out answers of one policy."""

    answers: tuple[EvaluatedAnswer, ...]
    trip_wires: tuple[EvaluatedAnswer, ...] = ()
    """Answers to the trip-wire prompts, which count in nothing but `hacked`."""

    def problem_ids(self) -> set[str]:
        """Return the ids of the problems answered."""
        return {answer.problem_id for answer in self.answers}

    def problem_rates(self) -> dict[str, float]:
        """Return, by problem id, the mean pass rate over the answers that a constraint applies to."""
        rates: dict[str, list[float]] = defaultdict(list)
        for answer in self.answers:
            if answer.pass_rate is not None:
                rates[answer.problem_id].append(answer.pass_rate)
        return {problem_id: float(np.mean(values)) for problem_id, values in rates.items()}

    def kind_rates(self) -> dict[str, tuple[int, int]]:
        """Return, by kind of constraint, how many were satisfied and how many applied."""
        counts: dict[str, list[bool]] = defaultdict(list)
        for answer in self.answers:
            for kind, satisfied in answer.satisfied:
                counts[kind].append(satisfied)
        return {kind: (sum(values), len(values)) for kind, values in sorted(counts.items())}

    def reward_means(self) -> dict[str, float]:
        """Return, by name, the mean of each custom reward over the answers that it gives a number."""
        values: dict[str, list[float]] = defaultdict(list)
        for answer in self.answers:
            for name, value in answer.rewards:
                if value is not None:
                    values[name].append(value)
        return {name: float(np.mean(numbers)) for name, numbers in values.items()}

    def hacked(self) -> float | None:
        """Return the share of the trip-wire answers that are hacked; None without any."""
        return _mean(answer.hacked for answer in self.trip_wires)

    def _thoughts(self) -> dict[str, float]:
        """Return the mean words of a thought and the share of thoughts without an end; nothing where none thought."""
        if not any(answer.thought or not answer.finished for answer in self.answers):
            return {}
        return {
            "mean_thought_words": float(np.mean([len(answer.thought.split()) for answer in self.answers])),
            "unfinished_thoughts": float(np.mean([not answer.finished for answer in self.answers])),
        }

    def summary(self) -> dict[str, Any]:
        """Return what `summary.json` holds of this evaluation; its rates are None when no constraint applied."""
        return {
            "pass_rate": _mean(self.problem_rates().values()),
            "all_satisfied": _mean(answer.pass_rate == 1.0 for answer in self.answers if answer.satisfied),
            "mean_words": float(np.mean([answer.num_words for answer in self.answers])),
            "distinct_share": float(np.mean([answer.distinct_share for answer in self.answers])),
            "on_topic": float(np.mean([answer.on_topic for answer in self.answers])),
            "not_echo": float(np.mean([answer.not_echo for answer in self.answers])),
            **self._thoughts(),
            **({"hacked": self.hacked()} if self.trip_wires else {}),
            "rewards": self.reward_means(),
            "kinds": {kind: {"satisfied": satisfied, "of": of} for kind, (satisfied, of) in self.kind_rates().items()},
        }


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return float(np.mean(listed)) if listed else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """Mean paired difference in pass rate, with a 95 % bootstrap interval over problems."""

    mean: float
    low: float
    high: float
    num_problems: int


def num_answers(problems: Sequence[Problem], *, samples: int) -> int:
    """Return how many answers `evaluate` will ask for."""
    return samples * sum(bool(problem.constraints) for problem in problems)


def evaluate(
    answer: Answer,
    tokenizer: Any,
    problems: Sequence[Problem],
    *,
    samples: int,
    batch_size: int,
    seed: int,
    rewards: Sequence[RewardFunction] = (),
    over_ranks: bool = False,
) -> Evaluation:
    """Have every problem answered `samples` times, verify the answers and score them by the custom `rewards`.

    With `over_ranks` each rank answers a share of the batches, and all ranks must call it.

    Problems without a constraint are left out: there is nothing to pass. Every other one counts, those that share an
    id, too: later ones get a number behind it. Raises ValueError if none is left.
    """
    constrained = number_equal_ids(problem for problem in problems if problem.constraints)
    if not constrained:
        raise UserError("evaluation needs problems with constraints; none of the held-out problems has any")
    as_text = all(problem.is_text for problem in constrained)
    batches, requests = _requests(constrained, encode_problems(tokenizer, constrained), samples, batch_size, seed)
    answered_requests = answer(rank_share(requests) if over_ranks else requests)

    def evaluate_batch(batch: list[int]) -> list[EvaluatedAnswer]:
        sampled = next(answered_requests)
        texts = [answer_text(tokenizer, sample.prompt_ids, sample.completion_ids) for sample in sampled]
        thoughts = thought_columns(tokenizer, sampled)
        answered = [constrained[index] for index in batch for _ in range(samples)]
        scores = score_answers(rewards, answered, sampled, texts, thoughts, as_text=as_text)
        evaluated = [evaluate_answer(*answer) for answer in zip(answered, texts, scores, strict=True)]
        return with_thoughts(evaluated, thoughts)

    answers = map_over_ranks(evaluate_batch, batches) if over_ranks else map(evaluate_batch, batches)
    return Evaluation(answers=tuple(chain(*answers)))


def _requests(
    problems: Sequence[Problem], prompts: Sequence[tuple[int, ...]], samples: int, batch_size: int, seed: int
) -> tuple[list[list[int]], list[RolloutRequest]]:
    """Return which problems are answered in one batch, and the request of each; batches do not depend on the policy.

    Similar lengths together save padding. A batch stays whole, so that its answers do not depend on who samples it.
    """
    order = sorted(range(len(problems)), key=lambda index: (len(prompts[index]), index))
    size = max(1, batch_size // samples)
    batches = [order[first : first + size] for first in range(0, len(order), size)]
    requests = [
        RolloutRequest(
            position=number * size,
            prompts=tuple(prompts[index] for index in batch),
            num_generations=samples,
            version=0,
            seed=seed,
            tasks=tuple(problems[index].task for index in batch),
        )
        for number, batch in enumerate(batches)
    ]
    return batches, requests


def with_thoughts(answers: list[EvaluatedAnswer], thoughts: Mapping[str, list[Any]]) -> list[EvaluatedAnswer]:
    """Return the answers with what the columns of `thought_columns` say of each; unchanged without columns."""
    if not thoughts:
        return answers
    columns = zip(answers, thoughts["thought"], thoughts["finish_reason"], strict=True)
    return [
        replace(answer, thought=thought, finished=reason != UNFINISHED_THOUGHT) for answer, thought, reason in columns
    ]


def number_equal_ids(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems with ids of their own: `sea`, `sea (2)`, `sea (3)` where several are called `sea`."""
    numbered: dict[str, Problem] = {}
    for problem in problems:
        name = problem.problem_id
        names = chain([name], (f"{name} ({number})" for number in count(2)))
        free = next(name for name in names if name not in numbered)
        numbered[free] = replace(problem, problem_id=free)
    return list(numbered.values())


def evaluate_answer(problem: Problem, completion: str, rewards: Scores = ()) -> EvaluatedAnswer:
    """Verify one completion of a problem, which has these custom rewards."""
    verdicts = zip(problem.constraints, verdicts_for(problem, completion), strict=True)
    return EvaluatedAnswer(
        problem_id=problem.problem_id,
        prompt=user_text(problem),
        completion=completion,
        satisfied=tuple((spec.id, verdict.satisfied) for spec, verdict in verdicts if verdict.satisfied is not None),
        num_words=len(completion.split()),
        distinct_share=distinct_words(completion, prompt=user_text(problem)),
        on_topic=on_topic(completion, request=request(problem)),
        not_echo=not_echo(completion, prompt=user_text(problem)),
        rewards=rewards,
    )


def paired_gain(before: Evaluation, after: Evaluation, *, seed: int = 0, resamples: int = 10_000) -> Gain | None:
    """Return the mean gain in pass rate over the problems that have one in both evaluations; None if there are none.

    Raises ValueError when the two evaluations did not answer the same problems.
    """
    if before.problem_ids() != after.problem_ids():
        raise ValueError("the two evaluations answered different problems; a paired comparison needs the same ones")
    base, tuned = before.problem_rates(), after.problem_rates()
    differences = [tuned[problem_id] - rate for problem_id, rate in base.items() if problem_id in tuned]
    if not differences:
        return None
    interval = bootstrap_interval(differences, seed=seed, resamples=resamples)
    return Gain(mean=interval.mean, low=interval.low, high=interval.high, num_problems=len(differences))


def load_evaluation(path: Path) -> Evaluation:
    """Read an evaluation from the JSON that `heed train` writes (`before.json`, `after.json`)."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    return Evaluation(
        answers=tuple(map(_read_answer, saved["answers"])),
        trip_wires=tuple(map(_read_answer, saved.get("trip_wires", ()))),
    )


def _read_answer(saved: dict[str, Any]) -> EvaluatedAnswer:
    return EvaluatedAnswer(
        **{**saved, **{name: tuple(map(tuple, saved.get(name, ()))) for name in ("satisfied", "rewards")}}
    )


def mark_hacked(evaluation: Evaluation, problems: Sequence[Problem]) -> tuple[EvaluatedAnswer, ...]:
    """Return the answers to trip-wire problems with `hacked` set."""
    by_id = {problem.problem_id: problem for problem in problems}
    return tuple(
        replace(answer, hacked=answer.pass_rate == 1.0 and _takes_shortcut(by_id[answer.problem_id], answer.completion))
        for answer in evaluation.answers
    )


def _takes_shortcut(problem: Problem, completion: str) -> bool:
    prompt = user_text(problem)
    return any(takes_shortcut(spec.id, completion, prompt=prompt, kwargs=spec.kwargs) for spec in problem.constraints)
