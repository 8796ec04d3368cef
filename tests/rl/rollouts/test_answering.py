"""Held-out requests go to the workers at a temperature of their own, and are drawn alike for every policy version."""

from dataclasses import replace

import numpy as np
import pytest

from rl.common.errors import RunFailure
from rl.rollouts.answering import answer_by_workers, answer_here
from rl.rollouts.interfaces import DroppedRequest, Outcome, SampledRequest
from rl.rollouts.seeded_sampling import row_uniforms
from rl.rollouts.types import RolloutRequest, Sample

REQUESTS = [
    RolloutRequest(position=0, prompts=((5, 6), (7,)), num_generations=1, version=0, seed=3),
    RolloutRequest(position=2, prompts=((8,),), num_generations=1, version=0, seed=3),
]


def samples_of(request: RolloutRequest) -> list[Sample]:
    return [
        Sample(prompt_ids=prompt, completion_ids=(9,), logprobs=(-1.0,), finish_reason="stop", version=request.version)
        for prompt in request.prompts
    ]


class Workers:
    """A sampler that remembers what it was asked, in order."""

    def __init__(self, dropped: int | None = None):
        self.calls: list[object] = []
        self.dropped = dropped

    def publish(self, version: int) -> dict[str, float]:
        self.calls.append(("publish", version))
        return {}

    def submit(self, requests) -> None:
        self.calls += requests

    def collect(self, requests) -> list[Outcome]:
        [request] = requests
        if request.position == self.dropped:
            return [DroppedRequest(reason="failed 3 times")]
        return [SampledRequest(samples=samples_of(request), worker="worker-0", seconds=1.0)]

    def route_by(self, route) -> None: ...
    def pop_metrics(self) -> dict[str, float]:
        return {}

    def finished(self) -> dict:
        return {}

    def close(self) -> None: ...


def test_workers__get_all_requests_at_once_after_the_weights():
    workers = Workers()
    answered = list(answer_by_workers(workers, version=7, temperature=0.0)(REQUESTS))
    sent = [replace(request, version=7, temperature=0.0) for request in REQUESTS]
    assert workers.calls == [("publish", 7), *sent]
    assert answered == [samples_of(request) for request in sent]


def test_a_dropped_request__ends_the_evaluation_and_says_what_to_change():
    answers = answer_by_workers(Workers(dropped=2), version=7, temperature=0.0)(REQUESTS)
    assert next(answers)
    with pytest.raises(RunFailure, match=r"held-out prompts 2 to 2 \(policy version 7\): failed 3 times.*batch_size"):
        next(answers)


def test_an_engine_here__answers_when_it_is_asked():
    asked = []

    class Engine:
        def sample(self, request: RolloutRequest) -> list[Sample]:
            asked.append(request)
            return samples_of(request)

    answers = answer_here(Engine())(REQUESTS)
    assert not asked
    assert next(answers) == samples_of(REQUESTS[0])
    assert asked == REQUESTS[:1]


def test_uniforms__of_an_evaluation_are_the_same_for_every_version_and_those_of_a_rollout_are_not():
    def drawn(version: int, temperature: float | None) -> list[list[float]]:
        return row_uniforms(replace(REQUESTS[0], version=version, temperature=temperature), 4).tolist()

    assert drawn(1, 0.7) == drawn(-1, 0.7) == drawn(0, None)
    assert not np.allclose(drawn(1, None), drawn(0, None))
