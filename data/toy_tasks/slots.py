"""Slots: several independent digits an answer, each with a verifier whose evidence is its own character."""

from random import Random

from data.problems import ConstraintSpec, Problem
from rewards.verdict import Verdict

KIND = "slots:digit"


def slot_problem(seed: int, index: int, *, slots: int, shift: int | None = 0) -> Problem:
    """Return problem `index` of the stream `seed`: an operation for each slot; its reference is the answer.

    With a `shift` the verdict on a slot has the character of the slot so many places on as its evidence, the first slot
    after the last: as much evidence, in the wrong place. With None a wrong slot has no evidence.

    Example:
        slot_problem(0, 3, slots=2)    # 7^5;2v8= with the answer 72
    """
    rng = Random(f"slots-{slots}-{seed}-{index}")
    terms = [f"{rng.randint(0, 9)}{rng.choice('^v')}{rng.randint(0, 9)}" for _ in range(slots)]
    prompt = f"{';'.join(terms)}="
    constraints = tuple(
        ConstraintSpec(
            id=KIND,
            kwargs={"place": place} | ({} if shift is None else {"evidence_at": (place + shift) % slots}),
            text=term,
            spans=((4 * place, 4 * place + 3),),
        )
        for place, term in enumerate(terms)
    )
    return Problem(
        problem_id=f"slots-{slots}-{seed}-{index}",
        messages=({"role": "user", "content": prompt},),
        constraints=constraints,
        reference=slot_answer(prompt),
        task="slots",
    )


def slot_answer(prompt: str) -> str:
    """Return a digit for each operation: `^` takes the larger of two digits, `v` the smaller."""
    terms = prompt.removesuffix("=").split(";")
    return "".join((max if sign == "^" else min)(first, second) for first, sign, second in terms)


def slot_digit(completion: str, *, prompt: str, place: int, evidence_at: int | None = None) -> Verdict:
    """Return whether the character at `place`, counted from 0, is right; the evidence is the one at `evidence_at`.

    Without, it is its own where it is right, and none where it is wrong.
    """
    satisfied = completion[place : place + 1] == slot_answer(prompt)[place]
    shown = place if evidence_at is None and satisfied else evidence_at
    evidence = ((shown, shown + 1),) if shown is not None and shown < len(completion) else ()
    return Verdict(satisfied=satisfied, margin=0.0 if satisfied else -1.0, evidence=evidence)


def slot_score(completion: str, answer: str) -> float:
    """Return the share of the answer's digits that a completion has in their places."""
    return sum(completion[place : place + 1] == digit for place, digit in enumerate(answer)) / len(answer)
