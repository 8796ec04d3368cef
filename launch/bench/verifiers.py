"""`heed bench verifiers`: the time to verify many completions against constraints drawn evenly from all kinds."""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from rich.console import Console
from rich.progress import track

from data.constraints import KINDS
from data.instructions import Instruction, instructions
from data.problems import ConstraintSpec
from rewards.verifiers import verify
from rl.common.errors import UserError

WORDS_PER_COMPLETION = (20, 120)
NUM_SLOWEST = 10
"""Slowest kinds in the result."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One completion with its constraints."""

    prompt: str
    completion: str
    constraints: tuple[ConstraintSpec, ...]


def bench_verifiers(*, completions: int = 10_000, constraints: int = 3, seed: int = 0) -> dict[str, Any]:
    """Return the seconds to verify different completions in one process, and the kinds that take longest.

    Raises UserError for a number below 1.
    Every kind is drawn equally often, also those that detect a language; loading the libraries counts, too. Other work
    on the machine disturbs `cpu_seconds` least.
    """
    if min(completions, constraints) < 1:
        raise UserError(f"completions and constraints must be at least 1, got {completions} and {constraints}")
    jobs = list(_jobs(completions, constraints, seed))
    seconds: dict[str, float] = defaultdict(float)
    satisfied = 0
    start, cpu_start = time.perf_counter(), time.process_time()
    for job in track(jobs, description="verifying", console=Console(stderr=True), transient=True):
        satisfied += _verify(job, seconds)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    slowest = sorted(seconds.items(), key=lambda item: item[1], reverse=True)[:NUM_SLOWEST]
    return {
        "completions": completions,
        "checks": completions * constraints,
        "kinds": len(seconds),
        "seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "satisfied": satisfied,
        "slowest_seconds": {kind: round(spent, 2) for kind, spent in slowest},
    }


def _verify(job: Job, seconds: dict[str, float]) -> int:
    """Return the number of satisfied constraints, and add the time of each to its kind."""
    satisfied = 0
    for spec in job.constraints:
        start = time.perf_counter()
        satisfied += verify(spec.id, job.completion, prompt=job.prompt, **spec.kwargs).satisfied is True
        seconds[spec.id] += time.perf_counter() - start
    return satisfied


def _jobs(completions: int, constraints: int, seed: int) -> Iterator[Job]:
    """Yield completions of synthetic prose; every round goes through all kinds in a new random order."""
    rng = Random(f"bench-verifiers-{seed}")
    pool = [*instructions("train"), *instructions("held_out")]
    kinds = _rounds(rng)
    for _ in range(completions):
        instruction = rng.choice(pool)
        drawn = [(kind, KINDS[kind].draw(rng, instruction)) for kind in (next(kinds) for _ in range(constraints))]
        specs = tuple(ConstraintSpec(id=kind, kwargs=kwargs, text="") for kind, kwargs in drawn)
        yield Job(prompt=instruction.text, completion=_prose(rng, pool), constraints=specs)


def _rounds(rng: Random) -> Iterator[str]:
    while True:
        yield from rng.sample(sorted(KINDS), len(KINDS))


def _prose(rng: Random, pool: list[Instruction]) -> str:
    """Return paragraphs of the instructions' words; a fifth in one letter case, for the constraints on letter case."""
    num_words = rng.randint(*WORDS_PER_COMPLETION)
    text, count = "", 0
    while count < num_words:
        source = rng.choice(pool)
        sentence = f"{source.text} The {' and the '.join(source.words)} belong to it."
        text += sentence + rng.choice((" ", " ", "\n\n"))
        count += len(sentence.split())
    style = rng.choices((str, str.upper, str.lower), weights=(8, 1, 1))[0]
    return style(text.strip())
