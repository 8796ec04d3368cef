"""Online DPO: in each round the policy answers new problems, and DPO trains on pairs of its own answers."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from data.preferences import pair_row, preference_pairs
from data.problems import Problem, to_row
from data.writing import write_rows
from rl.common.atomic import atomic_folder, write_json
from rl.common.errors import UserError
from rl.config.load import parse_config
from rl.config.root import Config
from rl.datasets import Problems, check_signal, load_problems, report_unreadable
from rl.evaluation.answers import sample_answers
from rl.evaluation.console import rate_text, show_gain
from rl.evaluation.evaluate import load_evaluation, paired_gain
from rl.evaluation.summary import comparison
from rl.models.answers import reasoning_tags
from rl.models.load import configured_tokenizer, load_base_model
from rl.models.saved_adapter import adapted
from rl.rollouts.engine_hf import local_engine
from rl.rollouts.generation import generation_config
from rl.runs.checkpoint import newest_checkpoint
from rl.runs.folder import hold_folder
from rl.runs.inputs import save_inputs
from rl.runs.resume import export_command, resume_command
from rl.tracking.progress import announce

TrainRound = Callable[[Config], Path]


def train_in_rounds(config: Config, train_round: TrainRound, *, locked: bool = False) -> Path:
    """Sample, pair and train `pairs.rounds` times, each time from the adapter before; return the run folder.

    `RUN/round-N/` is a run of its own, on `RUN/round-N.pairs.jsonl`; the reference stays the base model. A resumed run
    keeps the rounds that are done. Raises UserError when a round's answers make no pair.
    """
    problems = load_problems(config.data)
    check_signal(config, problems)
    with hold_folder(config, locked=locked) as folder:
        save_inputs(config, folder)  # of a resumed run, it may have changed and been accepted
        _train_rounds(folder, config, problems, train_round)
    return folder


def _train_rounds(folder: Path, config: Config, problems: Problems, train_round: TrainRound) -> None:
    console = Console()
    report_unreadable(problems, folder, console.print)
    held_out = folder / "held_out.jsonl"
    if problems.held_out and not held_out.exists():
        write_rows([to_row(problem) for problem in problems.held_out], held_out)
    adapter = config.lora.start
    for number in range(1, config.pairs.rounds + 1):
        round_folder = folder / f"round-{number}"
        if not (round_folder / "summary.json").exists():
            console.print(f"Round {number} of {config.pairs.rounds}")
            pairs = folder / f"round-{number}.pairs.jsonl"
            if not pairs.exists():
                write_pairs(config, round_problems(problems.train, number, config.pairs.rounds), adapter, pairs, number)
            prepare_round(folder, number)
            train_round(round_config(config, pairs, held_out if held_out.exists() else None, adapter, round_folder))
        if not (round_folder / "summary.json").exists():  # interrupted, and saved
            announce(console, f"The rounds go on with: {resume_command(folder)}")
            return
        adapter = round_folder / "adapters" / "default"
    finalize_rounds(folder, config.pairs.rounds, console)


def round_problems(problems: Sequence[Problem], number: int, rounds: int) -> Sequence[Problem]:
    """Return the problems of one round; rounds share none. Raises UserError when there are fewer than rounds."""
    if len(problems) < rounds:
        raise UserError(f"pairs.rounds={rounds} needs at least as many problems; the data has {len(problems)}")
    return problems[(number - 1) * len(problems) // rounds : number * len(problems) // rounds]


def write_pairs(config: Config, problems: Sequence[Problem], adapter: Path | None, path: Path, number: int) -> None:
    """Answer the problems with the policy before this round, verify the answers and write pairs of them.

    Raises UserError when no two answers to a problem make a pair, or the adapter is not finite.
    """
    settings, tokenizer = config.pairs, configured_tokenizer(config.model)
    model: Any = load_base_model(config.model)
    policy = model if adapter is None else adapted(model, adapter)
    generation = generation_config(config.trainer, config.rollouts)
    engine = local_engine(policy, tokenizer, generation, config.routing)
    answers = sample_answers(engine, tokenizer, problems, samples=settings.samples, seed=config.trainer.seed + number)
    tracked = track(answers, "sampling", total=len(problems), console=Console(stderr=True), transient=True)
    pairs = preference_pairs(
        tracked,
        minimum_gap=settings.minimum_gap,
        length_ratio=settings.length_ratio,
        minimal=settings.minimal,
        tags=reasoning_tags(tokenizer),
    )
    if not pairs:
        raise UserError(
            f"round {number}: no two of pairs.samples={settings.samples} answers to any of {len(problems)} problems "
            f"differ in score by more than pairs.minimum_gap={settings.minimum_gap}; take more samples or problems"
        )
    write_rows([pair_row(pair) for pair in pairs], path)


def prepare_round(folder: Path, number: int) -> None:
    """Remove a round that stopped before its first checkpoint, and copy the base model's answers from round 1."""
    round_folder, base_answers = folder / f"round-{number}", folder / "round-1" / "before.json"
    if round_folder.exists() and newest_checkpoint(round_folder) is None:
        shutil.rmtree(round_folder)
    if number > 1 and base_answers.exists() and not (round_folder / "before.json").exists():
        round_folder.mkdir(exist_ok=True)
        shutil.copyfile(base_answers, round_folder / "before.json")


def round_config(config: Config, pairs: Path, held_out: Path | None, adapter: Path | None, folder: Path) -> Config:
    """Return the settings of one round, which is a DPO run of its own."""
    tree = config.model_dump(mode="json")
    tree["pairs"] = {}
    tree["data"] = {
        "path": str(pairs),
        "held_out": 0 if held_out is None else config.data.held_out,
        "held_out_path": None if held_out is None else str(held_out),
    }
    tree["lora"]["start"] = None if adapter is None else str(adapter)
    tree["run"] |= {"folder": str(folder), "name": f"{config.run.name}-{folder.name}"}
    tree["resume"] = None if newest_checkpoint(folder) is None else str(folder)
    return parse_config(tree)


def finalize_rounds(folder: Path, rounds: int, console: Console) -> None:
    """Copy the last round's adapter as the run's, write the summary of all rounds and show it."""
    folders = [folder / f"round-{number}" for number in range(1, rounds + 1)]
    summaries = [json.loads((path / "summary.json").read_text(encoding="utf-8")) for path in folders]
    summary: dict[str, Any] = {"rounds": summaries, "steps": sum(each["steps"] for each in summaries)}
    if (folders[0] / "before.json").exists():
        before, after = load_evaluation(folders[0] / "before.json"), load_evaluation(folders[-1] / "after.json")
        gain = paired_gain(before, after)
        summary |= comparison(before, after, gain)
        console.print("Held-out constraints satisfied after each round:")
        console.print("  " + " -> ".join(rate_text(rate, places=3) for rate in pass_rates(summaries)))
        show_gain(console, before, after, gain)
    with atomic_folder(folder / "adapters" / "default") as temporary:
        shutil.copytree(folders[-1] / "adapters" / "default", temporary)
    write_json(folder / "summary.json", summary)
    adapter = folder / "adapters" / "default"
    announce(console, f"\nAdapter: {adapter}\nVerify it with: {export_command(folders[-1])}")


def pass_rates(summaries: Sequence[dict[str, Any]]) -> list[float | None]:
    """Return the base model's pass rate and that after each round; None where no constraint applied."""
    return [summaries[0]["before"]["pass_rate"], *(each["after"]["pass_rate"] for each in summaries)]
