"""Rounds: online DPO; the policy that each round leaves writes the pairs of the next."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from peft import PeftModel
from rich.console import Console
from rich.progress import track

from data.preferences import pair_row, preference_pairs
from data.problems import Problem, to_row
from data.writing import write_rows
from rl.common.atomic import atomic_folder, write_json
from rl.common.errors import UserError
from rl.config.load import parse_config
from rl.config.root import Config
from rl.datasets import load_problems
from rl.evaluation.answers import sample_answers
from rl.evaluation.console import show_gain
from rl.evaluation.evaluate import load_evaluation, paired_gain
from rl.models.load import load_model, load_tokenizer, resolve_dtype
from rl.rollouts.engine_hf import engine_of
from rl.runs.checkpoint import newest_checkpoint
from rl.runs.folder import found_run

TrainRound = Callable[[Config], Path]


def train_in_rounds(config: Config, train_round: TrainRound) -> Path:
    """Sample, pair and train `pairs.rounds` times, each time from the adapter before; return the run folder.

    `RUN/round-N/` is a run of its own, on `RUN/round-N.pairs.jsonl`; the reference stays the base model. Rounds that
    are done are kept when the run is resumed. Raises UserError when a round's answers make no pair.
    """
    problems, console = load_problems(config.data), Console()
    folder = config.resume or found_run(config)
    held_out = folder / "held_out.jsonl"
    if problems.held_out and not held_out.exists():
        write_rows([to_row(problem) for problem in problems.held_out], held_out)
    adapter = config.lora.start
    for number in range(1, config.pairs.rounds + 1):
        place = folder / f"round-{number}"
        if not (place / "summary.json").exists():
            console.print(f"Round {number} of {config.pairs.rounds}")
            pairs = folder / f"round-{number}.pairs.jsonl"
            if not pairs.exists():
                write_pairs(config, share_of(problems.train, number, config.pairs.rounds), adapter, pairs, number)
            prepare(folder, number)
            train_round(round_config(config, pairs, held_out if held_out.exists() else None, adapter, place))
        if not (place / "summary.json").exists():  # stopped, and saved
            console.print(f"The rounds go on with: heed train {folder}/config.yaml resume={folder}")
            return folder
        adapter = place / "adapters" / "default"
    finalize_run(folder, config.pairs.rounds, console)
    return folder


def share_of(problems: Sequence[Problem], number: int, rounds: int) -> Sequence[Problem]:
    """The problems of one round: every round asks new ones. Raises UserError when there are fewer than rounds."""
    if len(problems) < rounds:
        raise UserError(f"pairs.rounds={rounds} needs as many problems at least; the data has {len(problems)}")
    return problems[(number - 1) * len(problems) // rounds : number * len(problems) // rounds]


def write_pairs(config: Config, problems: Sequence[Problem], adapter: Path | None, path: Path, number: int) -> None:
    """Answer the problems as the policy before this round, judge and pair. Raises UserError when nothing pairs."""
    settings, tokenizer = config.pairs, load_tokenizer(config.model.name)
    model: Any = load_model(config.model.name, dtype=resolve_dtype(config.model.dtype))
    policy = model if adapter is None else PeftModel.from_pretrained(model, str(adapter))
    engine = engine_of(config, policy, tokenizer)
    answers = sample_answers(engine, tokenizer, problems, samples=settings.samples, seed=config.trainer.seed + number)
    shown = track(answers, "sampling", total=len(problems), console=Console(stderr=True), transient=True)
    pairs = preference_pairs(
        shown, minimum_gap=settings.minimum_gap, length_ratio=settings.length_ratio, minimal=settings.minimal
    )
    if not pairs:
        raise UserError(
            f"round {number}: no two of pairs.samples={settings.samples} answers to any of {len(problems)} problems "
            f"differ in score by more than pairs.minimum_gap={settings.minimum_gap}; take more samples or problems"
        )
    write_rows([pair_row(pair) for pair in pairs], path)


def prepare(folder: Path, number: int) -> None:
    """Clear what a round left that never saved, and hand it the base model's answers, the same in every round."""
    place, first = folder / f"round-{number}", folder / "round-1" / "before.json"
    if place.exists() and newest_checkpoint(place) is None:
        shutil.rmtree(place)
    if number > 1 and first.exists() and not (place / "before.json").exists():
        place.mkdir(exist_ok=True)
        shutil.copyfile(first, place / "before.json")


def round_config(config: Config, pairs: Path, held_out: Path | None, adapter: Path | None, place: Path) -> Config:
    """The settings of one round, as a DPO run of its own."""
    tree = config.model_dump(mode="json")
    tree["pairs"] = {}
    tree["data"] = {
        "path": str(pairs),
        "held_out": 0 if held_out is None else config.data.held_out,
        "held_out_path": None if held_out is None else str(held_out),
    }
    tree["lora"]["start"] = None if adapter is None else str(adapter)
    tree["run"] |= {"folder": str(place), "name": f"{config.run.name}-{place.name}"}
    tree["resume"] = None if newest_checkpoint(place) is None else str(place)
    return parse_config(tree)


def finalize_run(folder: Path, rounds: int, console: Console) -> None:
    """Keep the last round's adapter as the run's, and what each round brought."""
    places = [folder / f"round-{number}" for number in range(1, rounds + 1)]
    summaries = [json.loads((place / "summary.json").read_text(encoding="utf-8")) for place in places]
    summary: dict[str, Any] = {"rounds": summaries, "steps": sum(one["steps"] for one in summaries)}
    if (places[0] / "before.json").exists():
        before, after = load_evaluation(places[0] / "before.json"), load_evaluation(places[-1] / "after.json")
        gain = paired_gain(before, after)
        summary |= {"before": before.summary(), "after": after.summary(), "gain": asdict(gain)}
        console.print("Held-out constraints satisfied after each round:")
        console.print("  " + " -> ".join(f"{one:.3f}" for one in rates(summaries)))
        show_gain(console, before, after, gain)
    with atomic_folder(folder / "adapters" / "default") as temporary:
        shutil.copytree(places[-1] / "adapters" / "default", temporary)
    write_json(folder / "summary.json", summary)
    console.print(f"\nAdapter: {folder / 'adapters' / 'default'}\nVerify it with: heed export {places[-1]}")


def rates(summaries: Sequence[dict[str, Any]]) -> list[float]:
    """The base model's pass rate, and that after each round."""
    return [summaries[0]["before"]["pass_rate"], *(one["after"]["pass_rate"] for one in summaries)]
