"""`heed data`: draw prompts with constraints, check a file of them, and pair the answers of a run."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from data.expansion import leveled_problem
from data.instructions import Split
from data.muldimif import read_muldimif
from data.patterns import Pattern
from data.preferences import PreferencePair, pair_row, preference_pairs
from data.problems import Problem, to_row, user_text
from data.reading import read_implemented
from data.report import count, judged, soundness
from data.sources import read_rows
from data.writing import write_rows
from rewards.satisfaction import rates_by_kind

PREVIEW = 3
"""Prompts or pairs that are shown."""


def constraints_command(
    *, level: int, pattern: str, num_problems: int, seed: int, output: Path, split: str = "train"
) -> dict[str, Any]:
    """Draw prompts of one level and pattern into a file; returns the counts that were shown.

    Raises ValueError for a level, pattern or split that does not exist.
    """
    way = _one_of("pattern", pattern, get_args(Pattern))
    part = _one_of("split", split, get_args(Split))
    if num_problems < 1:
        raise ValueError(f"the number of prompts must be at least 1, got {num_problems}")
    indices = track(range(num_problems), description="drawing prompts", console=Console(stderr=True), transient=True)
    problems = [leveled_problem(seed, index, level=level, split=part, pattern=way) for index in indices]
    path = write_rows([to_row(problem) for problem in problems], output)
    counts = count(problems)
    _preview(problems[:PREVIEW])
    _show_counts(asdict(counts))
    Console().print(f"{len(problems)} prompts in {path}")
    return {"file": str(path), **asdict(counts)}


def verify_command(file: Path) -> dict[str, Any]:
    """Check a file of prompts, and the answers in it where it has a column `completion` or `response`.

    Kinds without a verifier and MulDimIF texts that could not be read are counted, their prompts left out.
    """
    problems, left_out = _read(file)
    counts, sound = asdict(count(problems)), asdict(soundness(problems))
    rates = rates_by_kind(judged(problems))
    _preview(problems[:PREVIEW])
    _show_counts(counts)
    if rates:
        _show("satisfied by the answers", {kind: f"{rate:.2f}" for kind, rate in rates.items()})
    if left_out:
        _show("left out", left_out)
    Console().print(
        f"{len(problems)} prompts; {sound['proved']} proved satisfiable, {sum(sound['conflicting'].values())} with a "
        f"conflict; {sound['unplaced']} constraints without a known place, {sound['misplaced']} misplaced"
    )
    return {"file": str(file), **counts, **sound, "left_out": left_out, "satisfaction": rates}


def pairs_command(
    source: Path,
    output: Path,
    *,
    minimum_gap: float = 0.0,
    length_ratio: float | None = None,
    minimal: bool = False,
) -> dict[str, Any]:
    """Pair the answers of a run folder, or of a file whose rows have a list `completions`, for DPO.

    Raises ValueError when nothing can be paired.
    """
    samples = _run_samples(source) if source.is_dir() else _file_samples(source)
    pairs = preference_pairs(samples, minimum_gap=minimum_gap, length_ratio=length_ratio, minimal=minimal)
    if not pairs:
        raise ValueError(f"{source} holds no two answers to one prompt that differ in score by {minimum_gap} or more")
    path = write_rows([pair_row(pair) for pair in pairs], output)
    _preview_pairs(pairs[:PREVIEW])
    gaps = [pair.chosen.score - pair.rejected.score for pair in pairs]
    kinds = {kind: sum(pair.kind == kind for pair in pairs) for kind in ("best_worst", "minimal")}
    Console().print(f"{len(pairs)} pairs in {path}, mean gap {sum(gaps) / len(gaps):.2f}")
    return {"file": str(path), "num_pairs": len(pairs), "mean_gap": sum(gaps) / len(gaps), **kinds}


def _read(file: Path) -> tuple[Sequence[Problem], dict[str, int]]:
    first = next((row for _, row in read_rows(file)), None)
    if isinstance(first, dict) and "conversations" in first:
        found = read_muldimif(file)
        reasons = [item.reason for item in found.unread]
        return found.problems, {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}
    problems, unimplemented = read_implemented(file)
    return problems, {f"no verifier for {kind}": number for kind, number in unimplemented.most_common()}


def _run_samples(run: Path) -> Iterable[tuple[Problem, Sequence[str]]]:
    """The recorded answers of a run, by problem; its verdicts are taken anew."""
    from rl.datasets import load_problems
    from rl.settings import load_run_config

    record = run / "rollouts.jsonl"
    if not record.is_file():
        raise ValueError(f"{run} has no rollouts.jsonl; expected the folder of a run that has trained")
    known = {problem.problem_id: problem for problem in load_problems(load_run_config(run).data).train}
    answers: dict[str, list[str]] = {}
    for line in record.read_text(encoding="utf-8").splitlines():
        rollout = json.loads(line)
        answers.setdefault(rollout["problem_id"], []).append(rollout["completion"])
    strangers = sorted(answers.keys() - known.keys())
    if strangers:
        raise ValueError(f"{record} has problems that the run's data does not hold: {strangers[:3]}")
    return ((known[problem_id], texts) for problem_id, texts in answers.items())


def _file_samples(file: Path) -> Iterable[tuple[Problem, Sequence[str]]]:
    problems, _ = read_implemented(file)
    for problem in problems:
        texts = problem.extras.get("completions")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"{file}: problem {problem.problem_id!r} has no list of texts in the column 'completions'")
        others = {name: value for name, value in problem.extras.items() if name != "completions"}
        yield replace(problem, extras=others), texts


def _one_of(name: str, value: str, allowed: Sequence[Any]) -> Any:
    if value not in allowed:
        raise ValueError(f"unknown {name} {value!r}; there are {', '.join(allowed)}")
    return value


def _preview(problems: Sequence[Problem]) -> None:
    for problem in problems:
        text = Text(user_text(problem))
        for spec in problem.constraints:
            for start, end in spec.spans:
                text.stylize("bold cyan", start, end)
        Console().print(Text(f"{problem.problem_id}: ", style="dim"), text, Text("\n"), sep="")


def _preview_pairs(pairs: Sequence[PreferencePair]) -> None:
    table = Table("prompt", "chosen", "rejected", "differs on", show_lines=True)
    for pair in pairs:
        chosen, rejected = (f"[{answer.score:.2f}] {answer.text}" for answer in (pair.chosen, pair.rejected))
        cells = (user_text(pair.problem), chosen, rejected, "\n".join(pair.differs_on))
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)


def _show_counts(counts: dict[str, Any]) -> None:
    for name in ("kinds", "levels", "patterns"):
        _show(name, counts[name])


def _show(title: str, rows: dict[str, Any]) -> None:
    table = Table(title, "", box=None)
    for name, value in rows.items():
        table.add_row(name, str(value))
    Console().print(table)
