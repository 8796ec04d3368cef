"""`heed eval --benchmark`: a model's figures on a published test set, answered by a strategy."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from transformers import PreTrainedTokenizerBase

from data.benchmarks import Benchmark, BenchmarkSet, benchmark_source, find_benchmark, read_benchmark
from data.problems import user_text
from rl.common.atomic import write_json
from rl.common.digest import file_digest, sampled_digest
from rl.common.errors import UserError
from rl.config.evaluation import StrategyName
from rl.evaluation.asking import Asker, model_modes
from rl.evaluation.benchmarks.attention import AttentionReader, attention_summary, plot_drops
from rl.evaluation.benchmarks.console import show_benchmark
from rl.evaluation.benchmarks.engines import engine_here, engine_on_server, engine_on_workers
from rl.evaluation.benchmarks.failures import write_failures
from rl.evaluation.benchmarks.metrics import benchmark_metrics, differences
from rl.evaluation.benchmarks.reply_cache import CachedEngine
from rl.evaluation.benchmarks.run import Answer, Read, open_folder, read_answers, run_benchmark
from rl.evaluation.benchmarks.selector import load_selector, prompt_digest
from rl.evaluation.strategies import Decide, strategy_named
from rl.evaluation.target import Target, find_target
from rl.models.saved_adapter import WEIGHTS
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.interfaces import Engine
from rl.scoring.custom_verifiers import custom_verifiers

NOT_ANSWERS = frozenset({"output", "data", "workers", "url", "cache", "against"})
"""Options that answers do not depend on, and those on which the settings say more."""
RESULT, FAILURES, TIMING, DROPS = "result.json", "failures.html", "timing.json", "attention.png"


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkOptions:
    """What a user asks for; the target's own settings are its config's."""

    benchmark: str
    data: str | None = None
    strategy: StrategyName = "direct"
    limit: int | None = None
    selector: Path | None = None
    probe: bool = False
    max_tokens: int = 1024
    """Longest reply, its thought included."""
    batch_size: int = 16
    temperature: float = 0.0
    seed: int = 0
    template_values: dict[str, Any] | None = None
    calibration: Path | None = None
    workers: int = 0
    """Ray workers that answer; 0 answers in this process."""
    url: str | None = None
    """A vLLM server that answers, started with the target's base model."""
    cache: Path | None = None
    """A folder that keeps the completion of each prompt for other strategies and runs."""
    against: Path | None = None
    """The folder of other answers to the same prompts, to compare with prompt by prompt."""
    output: Path | None = None

    def __post_init__(self) -> None:
        if self.workers < 0 or (self.workers and self.url):
            raise UserError("--workers must be at least 0, and does not go with --url")
        if self.url and self.calibration:
            raise UserError("--calibration changes the model's attention, which a server keeps; leave out --url")
        if min(self.max_tokens, self.batch_size, 1 if self.limit is None else self.limit) < 1 or self.temperature < 0:
            raise UserError("--limit, --max-tokens and --batch-size must be at least 1, and --temperature at least 0")
        if self.cache is not None and self.temperature > 0:
            raise UserError(
                "--cache keeps one completion a prompt, and --temperature above 0 draws a new one each time"
            )
        if (self.strategy == "classifier") != (self.selector is not None):
            raise UserError(
                "--strategy classifier and --selector FILE go together: heed train-selector writes the file"
            )


def benchmark_command(target: str, options: BenchmarkOptions) -> dict[str, Any]:
    """Answer a benchmark with a model, a run's adapter or a bundle; print the figures and return them.

    The folder gets `answers.jsonl`, `result.json` and `failures.html`; called again, a run that was killed goes on.
    """
    before = None if options.against is None else read_answers(options.against)
    benchmark = find_benchmark(options.benchmark)
    source = benchmark_source(benchmark, options.data)
    found = _with_options(find_target(target), options)
    folder = options.output or Path("evaluations", f"{Path(target).name}-{benchmark.name}-{options.strategy}")
    with custom_verifiers(found.config.rewards):  # a run's own kinds, which a file of prompts may state
        problems = read_benchmark(benchmark, source, limit=options.limit)
        open_folder(folder, _settings(target, found, source, options))
        Console().print(f"{benchmark.name}: {len(problems.problems)} prompts of {source} (licence {benchmark.licence})")
        _answer(folder, found, benchmark, problems, options)
    result = {
        "benchmark": benchmark.name,
        "target": target,
        "strategy": options.strategy,
        "licence": benchmark.licence,
        "of": problems.total,
        "unimplemented": dict(problems.unimplemented.most_common()),
        **_write_result(folder, f"{Path(target).name} on {benchmark.name}, {options.strategy}", options, before),
    }
    if options.selector is not None:
        result["seen_by_selector"] = _num_seen(options.selector, problems)
    write_json(folder / RESULT, result)
    show_benchmark(Console(), result, folder)
    return {**result, "folder": str(folder)}


def _write_result(
    folder: Path, title: str, options: BenchmarkOptions, before: Sequence[Answer] | None
) -> dict[str, Any]:
    """Return the figures of a folder's answers; draw the drops in attention and write the page of failures."""
    records = read_answers(folder)
    result = {"prompts": len(records), **benchmark_metrics(records)}
    write_failures(folder / FAILURES, records, result["metrics"], title=title)
    if before is not None:
        result["against"] = {"folder": str(options.against), "differences": differences(records, before)}
    if options.probe:
        result["attention"] = attention_summary(records)
        plot_drops(records, folder / DROPS)
    return result


def _answer(
    folder: Path, target: Target, benchmark: Benchmark, problems: BenchmarkSet, options: BenchmarkOptions
) -> None:
    """Answer what is not answered yet; `timing.json` says how many prompts took how many seconds this time."""
    if options.probe and target.config.routing.adapters:
        raise UserError("--probe reads one adapter or none, and the target routes prompts to several")
    modes = model_modes(target.config.model)
    with _engine(target, modes.direct, options) as (engine, policy):
        if options.cache is not None:
            engine = CachedEngine(engine, options.cache, sampled_by=_sampled_by(target, options))
        asker = Asker(engine, modes, seed=options.seed)
        reader = AttentionReader(policy, asker, benchmark.judge) if options.probe else None
        _ask(folder, asker, benchmark, problems, options, read=None if reader is None else reader.read)


def _engine(
    target: Target, tokenizer: PreTrainedTokenizerBase, options: BenchmarkOptions
) -> AbstractContextManager[tuple[Engine, Any]]:
    """Return what answers, with the policy where it is in this process."""
    generation = GenerationConfig(
        temperature=options.temperature,
        max_completion_length=options.max_tokens,
        threads=target.config.rollouts.threads,
    )
    if options.url is not None:
        return engine_on_server(target, generation, url=options.url, reads=options.probe)
    if options.workers:
        return engine_on_workers(target, tokenizer, generation, workers=options.workers)
    return engine_here(target, tokenizer, generation)


def _ask(
    folder: Path,
    asker: Asker,
    benchmark: Benchmark,
    problems: BenchmarkSet,
    options: BenchmarkOptions,
    *,
    read: Read | None,
) -> None:
    start, first = time.perf_counter(), None
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(options.strategy, total=len(problems.problems))
        for num_done in run_benchmark(
            folder,
            asker,
            strategy_named(options.strategy, _decide(options.selector)),
            problems.problems,
            benchmark.judge,
            groups=benchmark.groups,
            batch_size=options.batch_size,
            read=read,
        ):
            first = num_done if first is None else first
            progress.update(bar, completed=num_done)
            if num_done > first:
                timing = {"prompts": num_done - first, "seconds": round(time.perf_counter() - start, 1)}
                write_json(folder / TIMING, timing)


def _decide(selector: Path | None) -> Decide | None:
    return None if selector is None else load_selector(selector).decide


def _num_seen(selector: Path, problems: BenchmarkSet) -> int:
    """Return how many of the prompts the selector was trained on."""
    seen = load_selector(selector).seen
    return sum(prompt_digest(user_text(problem)) in seen for problem in problems.problems)


def _with_options(target: Target, options: BenchmarkOptions) -> Target:
    """Return the target with values for its chat template, beside those of its own settings, and a calibration."""
    model = target.config.model
    changes: dict[str, Any] = {
        "chat_template_kwargs": {**model.chat_template_kwargs, **(options.template_values or {})},
        "calibration": options.calibration or model.calibration,
    }
    return replace(target, config=target.config.model_copy(update={"model": model.model_copy(update=changes)}))


def _settings(target: str, found: Target, source: str, options: BenchmarkOptions) -> dict[str, Any]:
    """Return what a folder's answers depend on."""
    settings = {name: value for name, value in asdict(options).items() if name not in NOT_ANSWERS}
    return {
        **settings,
        # A server forms batches of its own, so what is too much for it to answer in time may go on in smaller ones.
        "batch_size": options.batch_size if options.url is None else None,
        "selector": None if options.selector is None else file_digest(options.selector),
        "target": target,
        **_sampled_by(found, options),
        "data": file_digest(Path(source)) if Path(source).is_file() else source,
    }


def _sampled_by(found: Target, options: BenchmarkOptions) -> dict[str, Any]:
    """Return what the completion of a prompt depends on, besides seed and temperature."""
    weights = None if found.folder is None else sorted(found.folder.rglob(WEIGHTS))
    return {
        "max_tokens": options.max_tokens,
        "calibration": None if options.calibration is None else file_digest(options.calibration),
        "engine": "transformers" if options.url is None else "vllm_server",
        "model": found.config.model.model_dump(mode="json"),
        "weights": None if weights is None else [sampled_digest(path) for path in weights],
    }
