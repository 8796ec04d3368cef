"""Custom rewards score held-out answers as they score a training's completions, and leave no trace in it."""

import numpy as np
import pytest
import torch

from data.problems import ConstraintSpec, Problem
from rl.common.errors import UserError
from rl.config.rewards import RewardsConfig
from rl.evaluation.custom_rewards import score_answers
from rl.evaluation.evaluate import evaluate
from rl.models.load import load_tokenizer
from rl.rollouts.answering import answer_here
from rl.rollouts.types import Sample
from rl.scoring.reward_functions import custom_rewards

SEA, SKY = (
    Problem(
        problem_id=name,
        messages=({"role": "user", "content": f"Describe the {name}."},),
        constraints=(ConstraintSpec(id="punctuation:no_comma", kwargs={}, text=""),),
        extras=extras,
    )
    for name, extras in (("sea", {"weight": 2.0}), ("sky", {}))
)
SOURCE = """
import numpy, torch

def weighted_length(prompts, completions, completion_ids, weight, finish_reason, trainer_state, log_metric, **columns):
    torch.rand(1), numpy.random.rand()
    log_metric("seen", 1.0)
    assert prompts[0][-1]["content"] == "Describe the sea." and trainer_state.global_step == 0
    assert columns["problem_id"][0] == "sea" and finish_reason == ["stop", "length"]
    lengths = [len(completion[0]["content"]) for completion in completions]
    return [None if factor is None else factor * length for factor, length in zip(weight, lengths)]

async def tokens(completion_ids, **columns):
    return [float(len(ids)) for ids in completion_ids]

def short(completions, **columns):
    return [1.0]

def lengths(prompts, completions, **columns):
    return [len(prompt) + 100 * len(completion) for prompt, completion in zip(prompts, completions)]
"""


def sample(*ids: int, finish: str = "stop") -> Sample:
    logprobs = (0.0,) * len(ids)
    return Sample(prompt_ids=(1,), completion_ids=ids, logprobs=logprobs, finish_reason=finish, version=0)  # type: ignore[arg-type]


@pytest.fixture
def functions(tmp_path):
    path = tmp_path / "own_rewards.py"
    path.write_text(SOURCE)
    return lambda *names: custom_rewards(RewardsConfig(functions=tuple(f"{path}:{name}" for name in names)))


def test_score_answers__calls_the_functions_as_trl_does(functions):
    torch_state, numpy_state = torch.get_rng_state(), str(np.random.get_state(legacy=False))
    scores = score_answers(
        functions("weighted_length", "tokens"),
        (SEA, SKY),
        (sample(5, 6, 7), sample(5, finish="length")),
        ("wide", "blue"),
    )
    # "wide" has 4 characters and weight 2; the sky's row has no weight, so the function gives None
    assert scores == [(("weighted_length", 8.0), ("tokens", 3.0)), (("weighted_length", None), ("tokens", 1.0))]
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert str(np.random.get_state(legacy=False)) == numpy_state


def test_score_answers__gives_text_where_prompts_are_text(functions):
    scores = score_answers(functions("lengths"), (SEA,), (sample(5),), ("wide",), as_text=True)
    assert scores == [(("lengths", len("Describe the sea.") + 400),)]


def test_score_answers__wrong_number_of_rewards_is_an_error(functions):
    with pytest.raises(UserError, match=r"rewards\.functions: short returned 1 rewards; expected 2, one for each"):
        score_answers(functions("short"), (SEA, SKY), (sample(5), sample(6)), ("wide", "blue"))


def test_evaluate__reports_custom_rewards_beside_the_pass_rate(functions):
    tokenizer = load_tokenizer("tiny")

    class Writer:
        def sample(self, request):
            return [sample(*tokenizer("wide")["input_ids"]) for _ in request.prompts]

    length = float(len(tokenizer("wide")["input_ids"]))
    rewards = functions("tokens")
    evaluation = evaluate(
        answer_here(Writer()), tokenizer, (SEA, SKY), samples=1, batch_size=2, seed=0, rewards=rewards
    )
    assert evaluation.summary()["rewards"] == {"tokens": length}
    assert evaluation.summary()["pass_rate"] == 1.0
