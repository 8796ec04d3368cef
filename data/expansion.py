"""Prompt expansion: adds constraints to a base instruction; problem i depends only on the seed and i."""

from collections.abc import Sequence
from random import Random

from data.conflicts import conflict
from data.constraints import CATEGORIES, GENERAL_KINDS, SHORT_KINDS, find_kind
from data.instructions import Instruction, Split, instructions
from data.problems import Constraint, Problem
from data.prompt_templates import Pattern, categories, compose_problem
from data.witness import witness
from rewards.errors import InputError

MAX_DRAWS = 1000
"""Draws before the search for a fitting set of constraints gives up; a few usually suffice."""


def instruction_problem(
    seed: int,
    index: int,
    *,
    split: Split = "train",
    kinds: Sequence[str] | None = None,
    min_constraints: int = 1,
    max_constraints: int = 3,
    pattern: Pattern = "incorporation",
) -> Problem:
    """Return problem `index` of the stream `seed`: a base instruction with some constraints.

    Each run of as many indices as the split has instructions uses every instruction once. `kinds` limits the
    verifier ids to draw from; None is `SHORT_KINDS`. A pure function of its arguments.
    """
    if min_constraints < 1:
        raise InputError(f"min_constraints must be at least 1, got {min_constraints}")
    if max_constraints < min_constraints:
        raise InputError(f"max_constraints must be at least {min_constraints}, got {max_constraints}")
    rng = Random(f"{split}-{seed}-{index}")
    instruction = _instruction(seed, index, split)
    number = rng.randint(min_constraints, max_constraints)
    pool = _sorted_kinds(kinds, SHORT_KINDS)
    for _ in range(MAX_DRAWS):
        drawn = draw_constraints(rng, instruction, kinds=pool, number=number)
        answer = witness(drawn) if pattern == "example" else None
        if pattern != "example" or answer is not None:
            return compose_problem(
                f"{split}-{seed}-{index}", instruction, drawn, pattern=pattern, rng=rng, answer=answer
            )
    raise InputError(f"found no {pattern} prompt in {MAX_DRAWS} draws from kinds {sorted(pool)}")


def leveled_problem(
    seed: int,
    index: int,
    *,
    level: int,
    split: Split = "train",
    kinds: Sequence[str] | None = None,
    pattern: Pattern = "incorporation",
) -> Problem:
    """Return a problem with constraints from exactly `level` main categories (MulDimIF's levels I to IV).

    Otherwise like `instruction_problem`. Each category contributes one or two constraints, language one (arXiv
    2505.07591, section 3), and a witness proves that they can be satisfied together. `kinds` None draws from all
    `GENERAL_KINDS`.
    """
    pool = _sorted_kinds(kinds, GENERAL_KINDS)
    reachable = len({find_kind(kind_id).category for kind_id in pool})
    if not 1 <= level <= reachable:
        raise InputError(f"level must be between 1 and {reachable}, the categories of these kinds; got {level}")
    name = f"{split}-level-{level}-{seed}-{index}"
    rng = Random(name)
    instruction = _instruction(seed, index, split)
    for _ in range(MAX_DRAWS):
        drawn = _draw_level(rng, instruction, pool, level)
        answer = witness(drawn) if len(categories(drawn)) == level else None
        if answer is not None:
            return compose_problem(name, instruction, drawn, pattern=pattern, rng=rng, answer=answer)
    raise InputError(f"found no level {level} {pattern} prompt in {MAX_DRAWS} draws from kinds {sorted(pool)}")


def draw_constraints(rng: Random, instruction: Instruction, *, kinds: Sequence[str], number: int) -> list[Constraint]:
    """Return up to `number` constraints of different kinds, no two in conflict.

    Fewer are returned only when every remaining kind conflicts with those already drawn.
    """
    drawn: list[Constraint] = []
    for kind_id in rng.sample(list(kinds), len(kinds)):
        if len(drawn) == number:
            break
        candidate = (kind_id, find_kind(kind_id).draw(rng, instruction))
        if all(conflict(candidate, other) is None for other in drawn):
            drawn.append(candidate)
    return drawn


def _draw_level(rng: Random, instruction: Instruction, kinds: Sequence[str], level: int) -> list[Constraint]:
    present = [name for name in CATEGORIES if any(find_kind(kind_id).category == name for kind_id in kinds)]
    drawn: list[Constraint] = []
    for category in rng.sample(present, level):
        number = 1 if category == "language" else rng.randint(1, 2)
        members = [kind_id for kind_id in kinds if find_kind(kind_id).category == category]
        for candidate in draw_constraints(rng, instruction, kinds=members, number=number):
            if all(conflict(candidate, other) is None for other in drawn):
                drawn.append(candidate)
    return drawn


def _sorted_kinds(kinds: Sequence[str] | None, default: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds to draw from, in an order that does not depend on how they are listed.

    Raises InputError if there is none, or one that cannot be drawn.
    """
    pool = sorted({find_kind(kind_id).id for kind_id in (default if kinds is None else kinds)})
    if not pool:
        raise InputError("no constraint kinds to draw from; leave `kinds` out or name at least one")
    return tuple(pool)


def _instruction(seed: int, index: int, split: Split) -> Instruction:
    pool = instructions(split)
    epoch, position = divmod(index, len(pool))
    order = Random(f"{split}-{seed}-epoch-{epoch}").sample(range(len(pool)), len(pool))
    return pool[order[position]]
