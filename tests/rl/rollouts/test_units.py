"""Units of work: prompts split into requests of whole groups, by the data order alone."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from rl.models.load import load_tokenizer
from rl.models.tokenization import encode_prompt
from rl.rollouts.types import RolloutRequest
from rl.rollouts.units import split_requests


def split(
    num_groups: int, *, num_generations: int = 2, groups_per_unit: int | None = None, position: int = 0
) -> list[RolloutRequest]:
    prompts = [(group, 7) for group in range(num_groups) for _ in range(num_generations)]
    return split_requests(
        prompts,
        num_generations=num_generations,
        groups_per_unit=groups_per_unit,
        position=position,
        version=3,
        seed=5,
    )


def test_split_requests__holds_one_prompt_a_group():
    assert split(3, groups_per_unit=2, position=40) == [
        RolloutRequest(position=40, prompts=((0, 7), (1, 7)), num_generations=2, version=3, seed=5),
        RolloutRequest(position=42, prompts=((2, 7),), num_generations=2, version=3, seed=5),
    ]


def test_split_requests__null_means_one_request():
    assert len(split(5)) == 1


@given(st.integers(0, 12), st.integers(1, 4), st.integers(1, 5), st.integers(0, 100))
def test_split_requests__keeps_every_group_at_its_position(num_groups, num_generations, groups_per_unit, position):
    requests = split(num_groups, num_generations=num_generations, groups_per_unit=groups_per_unit, position=position)
    positions = [
        (request.position + offset, prompt) for request in requests for offset, prompt in enumerate(request.prompts)
    ]
    assert positions == [(position + group, (group, 7)) for group in range(num_groups)]


@pytest.mark.parametrize("prompts", [[(1,), (1,), (2,)], [(1,), (2,), (2,), (1,)]])
def test_split_requests__refuses_a_split_group(prompts):
    with pytest.raises(ValueError, match="do not form whole groups of 2 equal ones: make trainer"):
        split_requests(prompts, num_generations=2, groups_per_unit=None, position=0, version=0, seed=0)


def test_encode_prompt__applies_the_chat_template_and_opens_the_answer():
    tokenizer = load_tokenizer("tiny")
    ids = encode_prompt(tokenizer, [{"role": "user", "content": "Write about the rain."}])
    assert tokenizer.decode(ids) == "<|im_start|>user\nWrite about the rain.<|im_end|>\n<|im_start|>assistant\n"


def test_encode_prompt__leaves_a_text_as_it_is():
    tokenizer = load_tokenizer("tiny")
    assert tokenizer.decode(encode_prompt(tokenizer, "Write about the rain.")) == "Write about the rain."
