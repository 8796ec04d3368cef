"""Six problems: texts that the tokenizer spells, optimal solutions that score 1, the best of several answers."""

import pytest

from data.problems import user_text
from data.verdicts import verdicts_for
from launch.bench.six_problems import (
    MAX_TOKENS,
    SIZES,
    best_of,
    exercise,
    problem_outcome,
    small_problem,
    solution_text,
    tokenizer,
)
from rewards.feasibility.quality import Outcome
from rl.credit.evidence import TokenizedCompletion, evidence_tokens
from rl.scoring.scorer import ScoredCompletion


@pytest.mark.parametrize("kind", ["plain", "stepwise"])
def test_small_problem__its_solution_is_optimal_short_enough_and_spelled_by_the_tokenizer(kind):
    spelled, task = tokenizer(), exercise(kind)
    for index in range(24):
        problem = small_problem(5, index, kind=kind)
        assert problem.task == list(SIZES)[index % 6]
        text = solution_text(problem)
        for one in (user_text(problem), text):
            ids = spelled.encode(one)
            assert spelled.pad_token_id not in ids and spelled.decode(ids) == one
        assert len(spelled.encode(text)) < MAX_TOKENS[kind]
        assert problem_outcome(text, problem).gap == 0 and task.score(text, problem) == 1
        assert task.score(text[:-1], problem) == 0


def test_best_of__takes_the_best_feasible_answer():
    bad, good, none = (Outcome(problem="tsp", objective=o, gap=g) for o, g in ((14, 0.4), (11, 0.1), (None, None)))
    assert best_of([none, bad, good]) is good and best_of([none, none]) is none


def test_evidence_tokens__of_a_broken_rule_are_those_of_its_step():
    spelled = tokenizer()
    problem = small_problem(5, 0, kind="stepwise")
    lines = solution_text(problem).splitlines()
    first, second = (line.split(":")[0] for line in lines[:2])
    text = "\n".join([lines[0], lines[1].replace(second, first), *lines[2:]])
    scored = ScoredCompletion(problem=problem, text=text, verdicts=verdicts_for(problem, text))
    ids = spelled.encode(text)
    tokens = evidence_tokens(spelled, TokenizedCompletion(scored=scored, prompt_ids=(), completion_ids=tuple(ids)))
    by_rule = {
        spec.id: "".join(spelled.decode([one]) for one, used in zip(ids, row, strict=True) if used)
        for spec, row in zip(problem.constraints, tokens, strict=True)
    }
    assert problem.task == "tsp"
    assert by_rule["feasibility:once"] == text.splitlines()[1]
    assert by_rule["feasibility:all"] == lines[-1]
