"""All stages, one after the other, each within its time; the result is on disk after every one."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from attention_probes.html_page import null_for_nan
from launch.bench.gpu.process import rows_of, run_stage
from launch.bench.gpu.stage import STAGES, Stage
from rl.common.atomic import write_json
from rl.common.errors import UserError
from rl.common.model_names import BUILTIN, TINY
from rl.models.builtin import builtin_path

Result = dict[str, Any]
MINUTES = sum(stage.seconds for stage in STAGES) / 60


def bench_gpu(
    *,
    on_gpu: bool = True,
    minutes: float = MINUTES,
    only: Sequence[str] = (),
    output: Path,
    show: Callable[[Result], None],
    stages: Sequence[Stage] = STAGES,
) -> dict[str, Any]:
    """Run the stages, or those named in `only`; return what they measured, which `output` has after each of them.

    A stage that fails, or takes longer than its share of `minutes` and what earlier ones left of theirs, is a finding,
    and the next one follows. Raises UserError for a stage that does not exist, and without a GPU unless rehearsed.
    """
    stages = chosen_stages(stages, only)
    check_gpu(on_gpu)
    model = chosen_model(on_gpu)
    report: dict[str, Any] = {"rehearsal": not on_gpu, "model": model, "minutes": minutes, "stages": []}
    scale, ends = 60 * minutes / sum(stage.seconds for stage in stages), time.monotonic()
    for stage in stages:
        ends += scale * stage.seconds
        result: Result = {"name": stage.name, "status": "interrupted"}
        report["stages"].append(result)
        with TemporaryDirectory(prefix="heed-bench-", ignore_cleanup_errors=True) as scratch:
            started = time.monotonic()
            try:
                result |= run_stage(stage, Path(scratch), on_gpu=on_gpu, model=model, seconds=ends - started)
            finally:  # also when Ctrl-C ends it
                result |= {"seconds": round(time.monotonic() - started, 1), "rows": rows_of(Path(scratch))}
                result["findings"] = findings(result)
                write_json(output, null_for_nan(report))
        show(result)
    return report


def chosen_stages(stages: Sequence[Stage], only: Sequence[str]) -> Sequence[Stage]:
    """Return the named stages in their order, all without names. Raises UserError for an unknown name."""
    names = [stage.name for stage in stages]
    if unknown := [name for name in only if name not in names]:
        raise UserError(f"unknown stage {unknown[0]!r}; there is {', '.join(names)}")
    return [stage for stage in stages if not only or stage.name in only]


def check_gpu(on_gpu: bool) -> None:
    """Raise UserError unless torch can compute on a GPU, if one is to be measured."""
    if on_gpu and not torch.cuda.is_available():
        raise UserError(
            "there is no GPU here that torch can use: `heed doctor` says why; --device cpu rehearses the stages with "
            "tiny models"
        )


def chosen_model(on_gpu: bool) -> str:
    """Return the built-in model where it is in the cache, as nothing is fetched; else, and on a CPU, the tiny one."""
    return BUILTIN if on_gpu and builtin_path().is_dir() else TINY


def findings(result: Result) -> list[str]:
    """Return a sentence for each thing that is not as it should be: the stage's error, and what its rows say."""
    errors = [result["error"]] if "error" in result else []
    return errors + [row["finding"] for row in result["rows"] if "finding" in row]
