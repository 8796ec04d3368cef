"""`heed data pairs`: better and worse answers to the same prompt, paired for DPO."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from data.dataset_summary import count
from data.preferences import Margins, PairKind, PreferencePair, pair_row, preference_pairs
from data.problems import Problem
from data.reading import read_implemented
from data.reasoning import ReasoningTags
from data.writing import write_rows
from launch.data.show import progress, show_counts, show_pairs
from rl.common.errors import UserError
from rl.common.export_folder import check_apart
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
    template_values: dict[str, Any] = field(default_factory=dict)
    """For variables of the model's chat template."""

    def __post_init__(self) -> None:
        if self.samples < 2 or self.max_tokens < 1 or self.temperature <= 0:
            raise UserError(
                "pairs need at least 2 samples a prompt, 1 token and a temperature above 0; got "
                f"{self.samples}, {self.max_tokens} and {self.temperature}"
            )


def pairs_command(
    source: Path,
    output: Path,
    *,
    minimum_gap: float = 0.0,
    length_ratio: float | None = None,
    minimal: bool = False,
    by: str = "score",
    reader: str | None = None,
    sampling: Sampling | None = None,
) -> dict[str, Any]:
    """Pair answers for DPO: a run folder's, those in a file's column `completions`, or, with `sampling`, a model's.

    `by` is `score`, or `confusion` for answers that differ in what they listened to, read by the model `reader`, or
    else by the run's own, or by the one that samples. Raises UserError when nothing can be paired.
    """
    _check_choice(by, reader, chosen_by_score=minimal or bool(minimum_gap) or length_ratio is not None)
    check_apart(output, source, source / "rollouts.jsonl")
    margins = _margins(source, reader, sampling) if by == "confusion" else None
    # A run's custom verifiers score its answers here, too.
    with custom_verifiers(load_run_config(source).rewards if source.is_dir() else RewardsConfig()):
        samples = _samples(source, sampling)
        pairs = preference_pairs(
            samples,
            minimum_gap=minimum_gap,
            length_ratio=length_ratio,
            minimal=minimal,
            margins=margins,
            tags=_tags(source),
        )
    if not pairs:
        raise UserError(f"{source} holds no two answers to one prompt {_differing(by, minimum_gap)}")
    return _written(pairs, output)


def _check_choice(by: str, reader: str | None, *, chosen_by_score: bool) -> None:
    if by not in ("score", "confusion"):
        raise UserError(f"--by {by}: pairs are made by score or by confusion")
    if by == "score" and reader is not None:
        raise UserError(f"--reader {reader} reads answers for --by confusion; add that, or drop it")
    if by == "confusion" and chosen_by_score:
        raise UserError("--by confusion chooses by attention; drop --minimal, --minimum-gap and --length-ratio")


def _differing(by: str, minimum_gap: float) -> str:
    """Return how two answers would have to differ to be paired, to go on a sentence with."""
    if by == "score":
        return f"that differ in score by {minimum_gap} or more"
    return (
        "of which one satisfies a constraint and attends to it, and the other violates it and attends to another; "
        "prompts need two constraints whose passages are known"
    )


def _written(pairs: Sequence[PreferencePair], output: Path) -> dict[str, Any]:
    """Write the pairs, show them, and return what they are."""
    path = write_rows([pair_row(pair) for pair in pairs], output)
    show_pairs(pairs)
    kinds = {kind: sum(pair.kind == kind for pair in pairs) for kind in get_args(PairKind)}
    counts = asdict(count(list({pair.problem.problem_id: pair.problem for pair in pairs}.values())))
    show_counts(counts)
    mean_gap = sum(pair.chosen.score - pair.rejected.score for pair in pairs) / len(pairs)
    Console().print(f"{len(pairs)} pairs in {path}, mean gap {mean_gap:.2f}")
    return {"file": str(path), "num_pairs": len(pairs), "mean_gap": mean_gap, **kinds, **counts}


def _margins(source: Path, reader: str | None, sampling: Sampling | None) -> Margins:
    """Return the function that reads answers with the model that is meant."""
    from rl.evaluation.margins import margins_of
    from rl.evaluation.target import find_target, load_policy
    from rl.models.load import configured_tokenizer

    name = reader or (sampling and sampling.model) or (str(source) if source.is_dir() else None)
    if name is None:
        raise UserError(f"--by confusion needs a model that reads the answers of {source}; name it by --reader")
    target = find_target(name)
    policy, _ = load_policy(target)
    return partial(margins_of, policy, configured_tokenizer(target.config.model))


def _tags(source: Path) -> ReasoningTags | None:
    """Return the tags of a run's thoughts; None for a file, whose answers are judged whole."""
    if not source.is_dir():
        return None
    from rl.datasets import written_tags  # imports torch

    return written_tags(load_run_config(source).model)


def _samples(source: Path, sampling: Sampling | None) -> Iterable[tuple[Problem, Sequence[str]]]:
    from rl.evaluation.answers import recorded_samples, samples_from_columns  # imports torch

    if source.is_dir() and sampling is not None:
        raise UserError(f"--model samples answers to a file of prompts; {source} is a folder")
    if source.is_dir():
        return recorded_samples(source)
    problems, _ = read_implemented(source)
    return samples_from_columns(problems) if sampling is None else _sampled(problems, sampling)


def _sampled(problems: Sequence[Problem], sampling: Sampling) -> Iterable[tuple[Problem, Sequence[str]]]:
    from launch.data.load_engine import load_engine
    from rl.evaluation.answers import sample_answers
    from rl.rollouts.generation import GenerationConfig

    generation = GenerationConfig(temperature=sampling.temperature, max_completion_length=sampling.max_tokens)
    engine = load_engine(sampling.model, generation, sampling.template_values)
    answers = sample_answers(engine, engine.tokenizer, problems, samples=sampling.samples, seed=sampling.seed)
    return progress(answers, "sampling", total=len(problems))
