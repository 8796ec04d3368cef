"""`heed data`: draw prompts with constraints, check a file of them, and pair the answers of a run."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from data.dataset_summary import count, judged, soundness
from data.expansion import leveled_problem
from data.instructions import Split
from data.llm_rewriting import Ask, doubted, rewording
from data.muldimif import read_muldimif
from data.paraphrase import paraphrase
from data.preferences import PreferencePair, pair_row, preference_pairs
from data.problems import Problem, to_row, user_text
from data.prompt_templates import Pattern
from data.reading import read_implemented
from data.sources import read_rows
from data.writing import write_rows
from rewards.satisfaction import rates_by_kind
from rl.common.errors import UserError
from rl.config.load import load_run_config
from rl.config.rewards import RewardsConfig
from rl.scoring.custom_verifiers import custom_verifiers


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How answers to prompts are sampled.

    Example:
        Sampling(model="smollm2-135m-instruct", samples=8, temperature=1.0, max_tokens=160, seed=0)
    """

    model: str
    samples: int
    temperature: float
    max_tokens: int
    seed: int

    def __post_init__(self) -> None:
        if self.samples < 2 or self.max_tokens < 1 or self.temperature <= 0:
            raise UserError(
                "pairs need at least 2 samples a prompt, 1 token and a temperature above 0; got "
                f"{self.samples}, {self.max_tokens} and {self.temperature}"
            )


PREVIEW = 3
"""Prompts or pairs that are shown."""


def constraints_command(
    *,
    level: int,
    pattern: str,
    num_problems: int,
    seed: int,
    output: Path,
    split: str = "train",
    reword: Ask | None = None,
    doubt: Ask | None = None,
) -> dict[str, Any]:
    """Draw prompts of one level and pattern into a file; returns the counts that were shown.

    `reword` is asked to say each prompt in other words, `doubt` whether its constraints go together; prompts that fail
    the checks keep their own words, those that are doubted are left out.

    Raises UserError for a level, pattern or split that does not exist.
    """
    way = _one_of("pattern", pattern, get_args(Pattern))
    part = _one_of("split", split, get_args(Split))
    if num_problems < 1:
        raise UserError(f"the number of prompts must be at least 1, got {num_problems}")
    indices = track(range(num_problems), description="drawing prompts", console=Console(stderr=True), transient=True)
    problems = [leveled_problem(seed, index, level=level, split=part, pattern=way) for index in indices]
    problems, asked = _asked_about(problems, reword, doubt)
    path = write_rows([to_row(problem) for problem in problems], output)
    counts = count(problems)
    _preview(problems[:PREVIEW])
    _show_counts(asdict(counts))
    Console().print(f"{len(problems)} prompts in {path}" + "".join(f", {n} {what}" for what, n in asked.items()))
    return {"file": str(path), **asdict(counts), **asked}


def _asked_about(
    problems: list[Problem], reword: Ask | None, doubt: Ask | None
) -> tuple[list[Problem], dict[str, int]]:
    """The problems as a language model leaves them, and how many it changed or doubted."""
    told: dict[str, int] = {}
    if doubt is not None:
        kept = [problem for problem in problems if doubted(problem, doubt) is None]
        told["doubted"], problems = len(problems) - len(kept), kept
        if not problems:
            raise UserError(f"the model asked doubts that any of the {told['doubted']} prompts can be satisfied")
    if reword is not None:
        reworded = [paraphrase(problem, rewording(reword)) for problem in problems]
        told["reworded"] = sum(problem is not None for problem in reworded)
        problems = [new or old for new, old in zip(reworded, problems, strict=True)]
    return problems, told


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
    sampling: Sampling | None = None,
) -> dict[str, Any]:
    """Pair answers for DPO: a run folder's, those in a file's column `completions`, or, with `sampling`, a model's.

    Raises UserError when nothing can be paired.
    """
    # A run's own verifiers judge its answers again.
    with custom_verifiers(load_run_config(source).rewards if source.is_dir() else RewardsConfig()):
        samples = _samples(source, sampling)
        pairs = preference_pairs(samples, minimum_gap=minimum_gap, length_ratio=length_ratio, minimal=minimal)
    if not pairs:
        raise UserError(f"{source} holds no two answers to one prompt that differ in score by {minimum_gap} or more")
    path = write_rows([pair_row(pair) for pair in pairs], output)
    _preview_pairs(pairs[:PREVIEW])
    gaps = [pair.chosen.score - pair.rejected.score for pair in pairs]
    sorts = {sort: sum(pair.kind == sort for pair in pairs) for sort in ("best_worst", "minimal")}
    counts = asdict(count(list({pair.problem.problem_id: pair.problem for pair in pairs}.values())))
    _show_counts(counts)
    Console().print(f"{len(pairs)} pairs in {path}, mean gap {sum(gaps) / len(gaps):.2f}")
    return {"file": str(path), "num_pairs": len(pairs), "mean_gap": sum(gaps) / len(gaps), **sorts, **counts}


def _samples(source: Path, sampling: Sampling | None) -> Iterable[tuple[Problem, Sequence[str]]]:
    from rl.evaluation.answers import (  # not needed to draw prompts, and slow to import
        recorded_samples,
        samples_from_columns,
    )

    if source.is_dir() and sampling is not None:
        raise UserError(f"--model samples answers to a file of prompts; {source} is a folder")
    if source.is_dir():
        return recorded_samples(source)
    problems, _ = read_implemented(source)
    return samples_from_columns(problems) if sampling is None else _sampled(problems, sampling)


def _sampled(problems: Sequence[Problem], sampling: Sampling) -> Iterable[tuple[Problem, Sequence[str]]]:
    from launch.data.load_engine import load_engine
    from rl.evaluation.answers import sample_answers

    engine = load_engine(sampling.model, temperature=sampling.temperature, max_tokens=sampling.max_tokens)
    answers = sample_answers(engine, engine.tokenizer, problems, samples=sampling.samples, seed=sampling.seed)
    return track(answers, "sampling", total=len(problems), console=Console(stderr=True), transient=True)


def _read(file: Path) -> tuple[Sequence[Problem], dict[str, int]]:
    first = next((row for _, row in read_rows(file)), None)
    if isinstance(first, dict) and "conversations" in first:
        found = read_muldimif(file)
        reasons = [item.reason for item in found.unread]
        return found.problems, {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}
    problems, unimplemented = read_implemented(file)
    return problems, {f"no verifier for {kind}": number for kind, number in unimplemented.most_common()}


def _one_of(name: str, value: str, allowed: Sequence[Any]) -> Any:
    if value not in allowed:
        raise UserError(f"unknown {name} {value!r}; there are {', '.join(allowed)}")
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
