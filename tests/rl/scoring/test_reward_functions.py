"""Reward functions and the batch scorer: scores by hand, guards, and the user's own functions."""

import asyncio
import dataclasses
from collections import defaultdict
from typing import Any, get_args

import pytest
from trl.trainer.utils import is_async_callable

from data.problems import ConstraintSpec, Problem, from_row, to_row
from data.verdicts import verdicts_for
from rl.config.rewards import Guard, RewardsConfig
from rl.scoring.guard_values import GUARDS, shortest_allowed
from rl.scoring.reward_functions import column_rows, constraint_reward, reward_functions
from rl.scoring.scorer import BatchScorer, completion_text

NO_COMMA = ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas.")
SHORT = ConstraintSpec(id="length:word_range", kwargs={"minimum": 1, "maximum": 2}, text="Write 1 or 2 words.")
SEA = Problem(
    problem_id="sea",
    messages=({"role": "user", "content": "Describe the sea."},),
    constraints=(NO_COMMA, SHORT),
    extras={"request": "Describe the sea."},
)
FREE = Problem(problem_id="free", messages=({"role": "user", "content": "Say anything."},))


def score(function: Any, *pairs: tuple[Problem, str], **more: Any) -> tuple[list[float | None], dict[str, list[float]]]:
    """What a reward function gives for (problem, answer) pairs passed as TRL passes them, and what it logged."""
    logged: dict[str, list[float]] = defaultdict(list)
    rows = [to_row(problem) for problem, _ in pairs]
    columns = {name: [row.get(name) for row in rows] for name in SEA_COLUMNS}
    scores = function(
        prompts=[row["prompt"] for row in rows],
        completions=[[{"role": "assistant", "content": text}] for _, text in pairs],
        completion_ids=[[1, 2]] * len(rows),
        trainer_state=object(),
        log_metric=lambda name, value: logged[name].append(value),
        **columns,
        **more,
    )
    return scores, dict(logged)


def constraints_reward(**rewards: Any):
    """The reward for all constraints under these settings."""
    return constraint_reward(BatchScorer(RewardsConfig(**rewards)))


SEA_COLUMNS = [name for name in to_row(SEA) if name != "prompt"]


def test_verdicts_for__one_for_each_constraint_in_order():
    verdicts = verdicts_for(SEA, "wide, blue")
    assert [verdict.satisfied for verdict in verdicts] == [False, True]
    assert verdicts[0].evidence == ((4, 5),)


def test_column_rows__are_the_rows_behind_trl_s_columns():
    row = to_row(SEA)
    columns = {name: [row[name]] for name in SEA_COLUMNS}
    (rebuilt,) = column_rows([row["prompt"]], {**columns, "trainer_state": object()})
    assert from_row(rebuilt) == SEA


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mean", [0.5, 1.0]),
        ("all", [0.0, 1.0]),
        ("count", [1, 2]),
        ("graded", [0.625, 1.0]),  # one comma too many: (0.5 / (1 + 1) + 1) / 2
    ],
)
def test_constraint_reward__by_each_way_of_satisfaction(how, expected):
    scores, _ = score(constraints_reward(satisfaction=how), (SEA, "wide, blue"), (SEA, "blue"))
    assert scores == expected


def test_constraint_reward__is_none_without_constraints():
    scores, logged = score(constraints_reward(), (FREE, "wide, blue"), (SEA, "blue"))
    assert scores == [None, 1.0]
    assert logged["constraint/punctuation:no_comma/pass_rate"] == [1.0]


def test_constraint_reward__logs_the_pass_rate_of_every_kind():
    _, logged = score(constraints_reward(), (SEA, "wide, blue"), (SEA, "a wide blue sea"), (SEA, "blue"))
    assert logged == {
        "constraint/length:word_range/pass_rate": [pytest.approx(2 / 3)],
        "constraint/punctuation:no_comma/pass_rate": [pytest.approx(2 / 3)],
        "completions/distinct_words": [1.0],
    }


def test_constraint_reward__is_multiplied_by_the_worst_guard():
    guarded = constraints_reward(guards=("plain_characters", "distinct_words"))
    scores, logged = score(guarded, (SEA, "The sea"), (SEA, "sea sea sea sea"), (SEA, "Bl\u200bue"))
    # Both constraints hold, and no guard falls: 1. One holds, and one distinct word of four is a share of 0.25, half of
    # what is asked: 0.5 x 0.5. Both hold, with one hidden character: 1 x 0.75.
    assert scores == [1.0, 0.25, 0.75]
    assert logged["guard/distinct_words"] == [pytest.approx((1.0 + 0.5 + 1.0) / 3)]
    assert logged["guard/plain_characters"] == [pytest.approx((1.0 + 1.0 + 0.75) / 3)]


def test_length_floor__yields_to_the_rules_of_the_problem():
    rewards = RewardsConfig(guards=("length_floor",), min_words=12)
    at_most_nine = ConstraintSpec(
        id="length_constraints:number_words", kwargs={"num_words": 10, "relation": "less than"}, text=""
    )
    # one or two words: one will do; fewer than ten: four, about half of the most; no rule: twelve
    assert shortest_allowed(SEA.constraints) == 1 and shortest_allowed((at_most_nine,)) == 4
    assert shortest_allowed((NO_COMMA,)) is None
    assert [GUARDS["length_floor"]("wide", problem, rewards) for problem in (SEA, FREE)] == [1, 1 / 12]


def test_constraint_reward__a_completion_that_was_cut_off_keeps_a_part():
    reasons = ["stop", "length"]
    function = constraints_reward(unfinished=0.25)
    scores, logged = score(function, (SEA, "blue"), (SEA, "blue"), finish_reason=reasons)
    assert scores == [1.0, 0.25]
    assert logged["guard/finished"] == [pytest.approx(0.625)]
    assert score(constraints_reward(), (SEA, "blue"), (SEA, "blue"), finish_reason=reasons)[0] == [
        1.0,
        1.0,
    ]


def test_guards__every_one_of_the_config_has_a_value():
    every = get_args(Guard)
    assert set(every) == {*GUARDS, "fluent"}
    rewards = RewardsConfig(guards=every)
    reward = constraint_reward(BatchScorer(rewards, log_probs=lambda problems, texts: [-2.0]))
    scores, logged = score(reward, (SEA, "The sea is wide and blue in the morning."))
    assert scores == [0.5], "only the number of words is wrong, and no guard minds"
    assert all(logged[f"guard/{name}"] == [1.0] for name in every)


def test_fluent__text_that_the_base_model_finds_unlikely_earns_less():
    rewards = RewardsConfig(guards=("fluent",), fluency=(-3.0, -7.0))
    reward = constraint_reward(BatchScorer(rewards, log_probs=lambda problems, texts: [-3.0, -6.0, -9.0]))
    scores, logged = score(reward, (SEA, "blue"), (SEA, "blue"), (SEA, "blue"))
    assert scores == [1.0, 0.25, 0.0]
    assert logged["guard/fluent"] == [pytest.approx(1.25 / 3)]


def test_reward_functions__one_for_each_category_where_separate():
    rewards = RewardsConfig(separate=True, guards=("plain_characters",))
    functions, weights = reward_functions(rewards)
    assert [function.__name__ for function in functions] == ["content", "format", "language", "length"]
    assert weights == [1.0] * 4
    # no_comma is content, word_range is length; two hidden characters cost half
    answers = (SEA, "wide\u200b\u200b blue"), (FREE, "wide")
    scores = {function.__name__: score(function, *answers)[0] for function in functions}
    assert scores == {"content": [0.5, None], "format": [None, None], "language": [None, None], "length": [0.5, None]}


def test_reward_functions__kinds_of_benchmarks_earn_as_content_where_separate():
    no_space = ConstraintSpec(id="format:no_whitespace", kwargs={}, text="Use no spaces.")
    problem = dataclasses.replace(SEA, constraints=(no_space,))
    functions, _ = reward_functions(RewardsConfig(separate=True))
    scores = {function.__name__: score(function, (problem, "blue"))[0] for function in functions}
    assert scores == {"content": [1.0], "format": [None], "language": [None], "length": [None]}


def test_batch_scorer__scores_a_batch_once_for_all_rewards():
    asked = []
    rewards = RewardsConfig(guards=("fluent",), separate=True)
    scorer = BatchScorer(rewards, log_probs=lambda problems, texts: asked.append(texts) or [-1.0])
    functions, _ = reward_functions(rewards, scorer=scorer)
    prompts, completions, columns = (
        [to_row(SEA)["prompt"]],
        ["blue"],
        {name: [to_row(SEA)[name]] for name in SEA_COLUMNS},
    )
    for _ in range(2):
        for function in functions:
            function(prompts=prompts, completions=completions, log_metric=lambda name, value: None, **columns)
        completions = ["grey"]
    assert asked == [["blue"], ["grey"]]


def test_reward_functions__load_the_user_s_from_its_file(tmp_path):
    (tmp_path / "mine.py").write_text("def shouting(completions, **columns):\n    return [1.0 for _ in completions]\n")
    functions, weights = reward_functions(
        RewardsConfig(satisfaction_weight=0.0, functions=(f"{tmp_path}/mine.py:shouting",))
    )
    assert functions[0].__name__ == "shouting"
    assert weights == [1.0]
    assert score(functions[0], (SEA, "blue")) == ([1.0], {})


PARTIALS = """
from functools import partial


def near(completions, target, **columns):
    completions[0][0]["content"] = "edited"
    columns["completion_ids"].clear()
    return [float(target)] * len(completions)


async def slow(completions, **columns):
    completions.clear()
    return [3.0]


one, two = partial(near, target=1), partial(near, target=2)
"""


def test_reward_functions__have_their_own_names_and_edit_copies(tmp_path):
    path = tmp_path / "near.py"
    path.write_text(PARTIALS)
    settings = RewardsConfig(satisfaction_weight=0.0, functions=tuple(f"{path}:{name}" for name in ("one", "two")))
    functions, _ = reward_functions(settings)
    assert [function.__name__ for function in functions] == ["one", "two"]
    completions, ids = [[{"role": "assistant", "content": "wide"}]], [[1, 2]]
    scores = [function(completions=completions, completion_ids=ids) for function in functions]
    assert scores == [[1.0], [2.0]]
    assert (completions, ids) == ([[{"role": "assistant", "content": "wide"}]], [[1, 2]])


def test_reward_functions__an_asynchronous_one_stays_so(tmp_path):
    path = tmp_path / "near.py"
    path.write_text(PARTIALS)
    [function], _ = reward_functions(RewardsConfig(satisfaction_weight=0.0, functions=(f"{path}:slow",)))
    assert is_async_callable(function)
    completions = ["wide"]
    assert asyncio.run(function(completions=completions)) == [3.0] and completions == ["wide"]


@pytest.mark.parametrize("completion", ["blue", [{"role": "assistant", "content": "blue"}]])
def test_completion_text__of_text_or_messages(completion):
    assert completion_text(completion) == "blue"
