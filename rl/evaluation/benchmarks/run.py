"""Benchmark run: a strategy's answer to every problem, a line each, in a folder in which a killed run goes on."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data.benchmarks.judging import Judge
from data.problems import Problem, user_text
from rl.common.atomic import write_json, write_text
from rl.common.errors import UserError
from rl.evaluation.asking import Asker
from rl.evaluation.strategies import Strategy, StrategyAnswer
from rl.runs.jsonl import JsonlFile, read_jsonl

ANSWERS, SETTINGS = "answers.jsonl", "settings.json"

Answer = Mapping[str, Any]
"""One line of `answers.jsonl`."""
Read = Callable[[Sequence[Problem], Sequence[StrategyAnswer], int], list[dict[str, Any]]]
"""A batch, its answers and its position -> what else the line of each holds: readings of a probe."""


def open_folder(folder: Path, settings: dict[str, Any]) -> None:
    """Begin a run in a folder, or go on in one with the same settings.

    Raises UserError naming the first setting that differs: its answers would be of two runs.
    """
    path = folder / SETTINGS
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        for name in {**settings, **before}:
            if settings.get(name) != before.get(name):
                raise UserError(
                    f"{folder} holds a run with {name}={before.get(name)!r}, and this one has "
                    f"{settings.get(name)!r}; name another folder with --output, or remove this one"
                )
    elif folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} holds other files; name an empty or a new folder with --output")
    else:
        write_json(path, settings)


def run_benchmark(
    folder: Path,
    asker: Asker,
    strategy: Strategy,
    problems: Sequence[Problem],
    judge: Judge,
    *,
    groups: Sequence[str] = (),
    batch_size: int = 16,
    read: Read | None = None,
) -> Iterator[int]:
    """Answer and judge the problems that the folder's `answers.jsonl` lacks; yield how many it holds after each batch.

    A batch is asked as a whole and written as a whole, and one that a kill cut short is asked again: so the file does
    not depend on where a run was interrupted.
    """
    batches = list(_batches(problems, batch_size))
    lines = (folder / ANSWERS).read_bytes().split(b"\n")[:-1] if (folder / ANSWERS).exists() else []
    num_done = 0
    for number, batch in enumerate(batches):
        if num_done + len(batch) > len(lines):
            batches = batches[number:]
            break
        num_done += len(batch)
    else:
        batches = []
    write_text(folder / ANSWERS, b"".join(line + b"\n" for line in lines[:num_done]).decode())
    file = JsonlFile(folder / ANSWERS)
    yield num_done
    for batch in batches:
        chosen = [problems[index] for index in batch]
        answers = strategy(asker, chosen, num_done)
        more = [{}] * len(batch) if read is None else read(chosen, answers, num_done)
        rows = zip(batch, chosen, answers, more, strict=True)
        file.append(
            *(
                {"index": index, **answer_record(problem, answer, judge, groups), **readings}
                for index, problem, answer, readings in rows
            )
        )
        num_done += len(batch)
        yield num_done


def read_answers(folder: Path) -> list[dict[str, Any]]:
    """Return a run's records in the order of the benchmark. Raises UserError for a folder without any."""
    records = read_jsonl(folder / ANSWERS)
    if not records:
        raise UserError(f"{folder} holds no {ANSWERS}; expected a folder that heed eval --benchmark wrote")
    return sorted(records, key=lambda record: record["index"])


def paired_answers(first: Sequence[Answer], second: Sequence[Answer]) -> list[tuple[Answer, Answer]]:
    """Return the records of two runs prompt by prompt. Raises UserError when they are of different prompts."""
    others = {record["problem_id"]: record for record in second}
    if others.keys() != {record["problem_id"] for record in first}:
        raise UserError(
            "the two runs answered different prompts; run both with the same --benchmark, --data and --limit"
        )
    return [(record, others[record["problem_id"]]) for record in first]


def answer_record(problem: Problem, answer: StrategyAnswer, judge: Judge, groups: Sequence[str]) -> dict[str, Any]:
    """Return one line of `answers.jsonl`."""
    reply, judgement = answer.reply, judge(problem, answer.reply.answer)
    return {
        "problem_id": problem.problem_id,
        "prompt": user_text(problem),
        "thinks": answer.thinks,
        "thought": reply.thought,
        "answer": reply.answer,
        "note": answer.note,
        "finished": reply.finished,
        "cut_off": reply.cut_off,
        "tokens": {"thought": reply.thought_tokens, "answer": sum(reply.answer_mask), "all": answer.tokens},
        "scores": judgement.scores,
        "constraints": [asdict(score) for score in judgement.constraints],
        "groups": {name: problem.extras[name] for name in groups if name in problem.extras},
    }


def _batches(problems: Sequence[Problem], size: int) -> Iterator[list[int]]:
    """Yield the indices of problems of similar length, which saves padding."""
    order = sorted(range(len(problems)), key=lambda index: (len(user_text(problems[index])), index))
    for first in range(0, len(order), size):
        yield order[first : first + size]
