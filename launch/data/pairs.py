"""`heed data pairs`: better and worse answers to the same prompt, paired for DPO."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from data.dataset_summary import count
from data.preferences import pair_row, preference_pairs
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
    sampling: Sampling | None = None,
) -> dict[str, Any]:
    """Pair answers for DPO: a run folder's, those in a file's column `completions`, or, with `sampling`, a model's.

    Raises UserError when nothing can be paired.
    """
    check_apart(output, source, source / "rollouts.jsonl")
    # A run's custom verifiers score its answers here, too.
    with custom_verifiers(load_run_config(source).rewards if source.is_dir() else RewardsConfig()):
        samples = _samples(source, sampling)
        pairs = preference_pairs(
            samples, minimum_gap=minimum_gap, length_ratio=length_ratio, minimal=minimal, tags=_tags(source)
        )
    if not pairs:
        raise UserError(f"{source} holds no two answers to one prompt that differ in score by {minimum_gap} or more")
    path = write_rows([pair_row(pair) for pair in pairs], output)
    show_pairs(pairs)
    gaps = [pair.chosen.score - pair.rejected.score for pair in pairs]
    kinds = {kind: sum(pair.kind == kind for pair in pairs) for kind in ("best_worst", "minimal")}
    counts = asdict(count(list({pair.problem.problem_id: pair.problem for pair in pairs}.values())))
    show_counts(counts)
    mean_gap = sum(gaps) / len(gaps)
    Console().print(f"{len(pairs)} pairs in {path}, mean gap {mean_gap:.2f}")
    return {"file": str(path), "num_pairs": len(pairs), "mean_gap": mean_gap, **kinds, **counts}


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
