"""Honest answers: good replies of every form, each with its request and the rules that it keeps.

A file of `honest/` holds one form. A block is `@ request | rule in words` (the rule may be missing), a line
`! kind {arguments}` for each rule that a verifier decides, and the answer.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from data.problems import ConstraintSpec, Problem

HERE = Path(__file__).parent / "honest"


@dataclass(frozen=True, kw_only=True, slots=True)
class HonestAnswer:
    """One request, its rules, and a good answer.

    Example:
        HonestAnswer(form="short", problem=Problem(...), text="Oslo.")
    """

    form: str
    problem: Problem
    text: str


def read(path):
    """Return the answers of one file."""
    blocks = ("\n" + path.read_text(encoding="utf-8")).split("\n@ ")[1:]
    return [_answer(path.stem, block, f"{path.stem}-{number}") for number, block in enumerate(blocks, 1)]


def _answer(form, block, name):
    first, *lines = block.strip("\n").split("\n")
    request, _, rule = first.partition(" | ")
    num_rules = next(index for index, line in enumerate(lines) if not line.startswith("! "))
    prompt = f"{request} {rule}".strip()
    span = (len(request) + 1, len(prompt))
    constraints = tuple(_constraint(line, rule, span) for line in lines[:num_rules])
    messages = ({"role": "user", "content": prompt},)
    problem = Problem(problem_id=name, messages=messages, constraints=constraints)
    return HonestAnswer(form=form, problem=problem, text="\n".join(lines[num_rules:]))


def _constraint(line, rule, span):
    _, kind, kwargs = line.split(" ", 2)
    return ConstraintSpec(id=kind, kwargs=json.loads(kwargs), text=rule, spans=(span,))


ANSWERS = [answer for path in sorted(HERE.glob("*.txt")) for answer in read(path)]
