"""Prefetch: how far ahead is sampled, with which weights, and that a checkpoint loses none of it."""

import json
from types import SimpleNamespace

import pytest

from rl.common.errors import RunFailure
from rl.rollouts.interfaces import DroppedRequest, SampledRequest
from rl.rollouts.prefetch import Prefetch
from rl.rollouts.types import RolloutRequest, Sample


def make_request(position: int, version: int = 0) -> RolloutRequest:
    return RolloutRequest(position=position, prompts=((1, 2),), num_generations=1, version=version, seed=0)


def sampled(request: RolloutRequest) -> SampledRequest:
    sample = Sample(
        prompt_ids=(1, 2), completion_ids=(5,), logprobs=(-0.1,), finish_reason="length", version=request.version
    )
    return SampledRequest(samples=[sample], worker="worker-0", seconds=0.5)


def make_trainer(*, steps_per_generation: int, accumulation: int, iterations: int = 1, max_steps: int = 100):
    return SimpleNamespace(
        num_iterations=iterations,
        args=SimpleNamespace(
            steps_per_generation=steps_per_generation, gradient_accumulation_steps=accumulation, max_steps=max_steps
        ),
    )


@pytest.mark.parametrize(
    ("max_staleness", "steps_per_generation", "accumulation", "iterations", "expected"),
    [
        (0, 1, 1, 1, []),  # synchronous
        (1, 1, 1, 1, [6]),  # one optimizer step a batch: the next batch is one step stale
        (3, 1, 1, 1, [6, 7, 8]),
        (1, 2, 1, 1, []),  # two steps a batch: the next would be two steps stale
        (3, 2, 1, 1, [6]),
        (4, 1, 1, 2, [6, 7]),  # each batch is visited twice
        (2, 1, 4, 1, [6, 7]),  # four batches a step: no more than one step each
    ],
)
def test_batches_after__are_never_too_stale(max_staleness, steps_per_generation, accumulation, iterations, expected):
    trainer = make_trainer(steps_per_generation=steps_per_generation, accumulation=accumulation, iterations=iterations)
    assert list(Prefetch(max_staleness).batches_after(5, trainer)) == expected


def test_batches_after__end_with_the_last_step():
    # 6 steps of one micro-batch each are the batches 0 to 5
    trainer = make_trainer(steps_per_generation=1, accumulation=1, max_steps=6)
    assert list(Prefetch(3).batches_after(4, trainer)) == [5]
    assert list(Prefetch(3).batches_after(5, trainer)) == []


def test_staleness__counts_optimizer_steps():
    requests = [make_request(0, version=3), make_request(1, version=4)]
    assert Prefetch(2).staleness(requests, 5) == {"sync/staleness_mean": 1.5, "sync/staleness_max": 2.0}


def test_staleness__above_the_allowed_stops_the_run():
    with pytest.raises(RunFailure, match=r"group 0 \(policy version 2\) is 3 steps stale, rollouts.max_staleness=2"):
        Prefetch(2).staleness([make_request(1, version=4), make_request(0, version=2)], 5)


def test_state__keeps_what_was_sampled_ahead_and_the_rest_is_sampled_again():
    before = Prefetch(2)
    requests = [make_request(4, version=1), make_request(5, version=1), make_request(6, version=1)]
    before.add(2, requests)
    finished = {requests[1]: sampled(requests[1]), requests[2]: DroppedRequest(reason="hung")}
    state = json.loads(json.dumps(before.state(finished)))

    after = Prefetch(2)
    after.restore(state)
    new = [make_request(position, version=9) for position in (4, 5, 6)]
    restored, fresh = after.add(2, new)
    assert restored == [new[0], requests[1], new[2]]
    assert fresh == [new[0], new[2]]
    # a second checkpoint before it is trained keeps it too
    assert json.loads(json.dumps(after.state({}))) == state
    assert after.pop(2) == {
        requests[1]: SampledRequest(samples=sampled(requests[1]).samples, worker="worker-0", seconds=0.0)
    }
    assert after.in_flight() == []
