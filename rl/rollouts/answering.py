"""Answering: held-out requests, sampled by a model in this process or by the run's rollout workers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from rl.common.errors import RunFailure
from rl.rollouts.interfaces import DroppedRequest, Engine, Sampler
from rl.rollouts.types import RolloutRequest, Sample

Answer = Callable[[Sequence[RolloutRequest]], Iterator[list[Sample]]]
"""Requests in, their samples out, one request after the other."""

BASE_VERSION = -1
"""The policy version that stands for the base model: an adapter of zeros, published before version 0."""


def answer_here(engine: Engine) -> Answer:
    """Return the function that samples each request, when it is asked for, with an engine in this process."""
    return partial(map, engine.sample)


def answer_by_workers(sampler: Sampler, *, version: int, temperature: float) -> Answer:
    """Publish the learner's weights as a version; return the function by which the workers answer requests with them.

    It raises RunFailure for a request that no worker could answer.
    """
    sampler.publish(version)

    def answer(requests: Sequence[RolloutRequest]) -> Iterator[list[Sample]]:
        sent = [replace(request, version=version, temperature=temperature) for request in requests]
        sampler.submit(sent)
        for request in sent:
            [outcome] = sampler.collect([request])
            if isinstance(outcome, DroppedRequest):
                raise RunFailure(
                    f"{request}: {outcome.reason}; if its {len(request.prompts) * request.num_generations} answers "
                    "take too long, lower evaluation.batch_size or raise rollouts.time_limit"
                )
            yield outcome.samples

    return answer
