"""The bench of a GPU: what fails is a finding, what takes too long is ended, and what was measured is on disk."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

import launch.bench.gpu.run
from launch.bench.gpu import process
from launch.bench.gpu.run import MINUTES, bench_gpu, chosen_model, chosen_stages
from launch.bench.gpu.stage import STAGES, Stage
from launch.cli.main import main
from rl.common.errors import UserError
from rl.common.model_names import BUILTIN, TINY

ROOT = Path(__file__).parents[4]
PATIENT = 120.0
"""Seconds for a fake to be started, which takes a few on an idle machine."""


def fake(name: str, seconds: float = PATIENT) -> Stage:
    return Stage(module=f"tests.launch.bench.gpu.fakes.{name}", seconds=seconds)


def run_fakes(*stages: Stage, output: Path, **options: Any) -> list[dict[str, Any]]:
    minutes = sum(stage.seconds for stage in stages) / 60
    report = bench_gpu(
        on_gpu=False, stages=stages, output=output, minutes=minutes, show=options.pop("show", print), **options
    )
    return report["stages"]


@pytest.fixture(autouse=True)
def importable_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_stages__share_ten_minutes():
    assert MINUTES == 10.0
    assert len({stage.name for stage in STAGES}) == len(STAGES)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_stages__are_modules_that_exist(stage):
    assert (ROOT / f"{stage.module.replace('.', '/')}.py").is_file()


def test_bench_gpu__goes_on_after_whatever_a_stage_does(tmp_path):
    output, shown = tmp_path / "bench.json", []
    stages = [fake(name) for name in ("raising", "killed", "skipping", "finding", "measuring")]
    results = run_fakes(*stages, output=output, show=shown.append)
    raising, killed, skipping, finding, measuring = results
    assert [result["status"] for result in results] == ["failed", "failed", "skipped", "done", "done"]
    assert raising["error"] == "RuntimeError: Compile with TORCH_USE_CUDA_DSA"
    assert raising["findings"] == [raising["error"]] and raising["rows"] == [{"round": 1}]
    assert "illegal memory access" in raising["traceback"] and "raising.py" in raising["traceback"]
    assert killed["error"] == "its process was killed by SIGKILL: Fatal Python error: Segmentation fault"
    assert not is_running(killed["rows"][0]["child"])
    assert (skipping["reason"], skipping["findings"]) == ("it needs two GPUs, and 1 can be seen", [])
    assert finding["findings"] == ["the gap is 3"]
    assert measuring["findings"] == [] and math.isnan(measuring["rows"][1]["seconds"])
    assert shown == results
    written = json.loads(output.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert [stage["name"] for stage in written["stages"]] == [stage.name for stage in stages]
    assert written["stages"][-1]["rows"] == [{"round": 1, "seconds": 0.5}, {"round": 2, "seconds": None}]


@pytest.fixture
def end_at_first_row(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], BaseException]], None]:
    """Return a function that has the wait for a stage raise once the stage has written its first row."""

    def prepare(error: Callable[[], BaseException]) -> None:
        class Process(subprocess.Popen):
            def wait(self, timeout: float | None = None) -> int:
                rows = Path(self.args[-1], "rows.jsonl")
                while timeout is not None:
                    if rows.exists() and rows.read_text():
                        raise error()
                    assert self.poll() is None, "the stage ended by itself"
                return super().wait()

        monkeypatch.setattr(process.subprocess, "Popen", Process)

    return prepare


def test_bench_gpu__ends_a_stage_that_takes_too_long_with_all_that_it_started(end_at_first_row, tmp_path):
    end_at_first_row(lambda: subprocess.TimeoutExpired("stage", 30.0))
    (hanging,) = run_fakes(fake("hanging", seconds=30.0), output=tmp_path / "bench.json")
    assert (hanging["status"], hanging["error"]) == ("timed out", "not done within 30 s")
    assert not is_running(hanging["rows"][0]["child"])


def test_bench_gpu__interrupted_keeps_what_it_had(end_at_first_row, tmp_path):
    output = tmp_path / "bench.json"
    end_at_first_row(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run_fakes(fake("hanging"), fake("measuring"), output=output)
    (interrupted,) = json.loads(output.read_text())["stages"]
    assert interrupted["status"] == "interrupted"
    assert not is_running(interrupted["rows"][0]["child"])


def is_running(number: int) -> bool:
    return psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE


def test_bench_gpu__gives_a_stage_what_earlier_ones_left(monkeypatch, tmp_path):
    # Shares of 10, 20 and 30 s end 10, 30 and 60 s after the start; the stages take 4, 26 and 0 s.
    clock, limits = [100.0], []

    def run_stage(stage: Stage, folder: Path, *, seconds: float, **_: Any) -> dict[str, Any]:
        limits.append(seconds)
        clock[0] += {"a": 4.0, "b": 26.0, "c": 0.0}[stage.name]
        return {"status": "done"}

    monkeypatch.setattr(launch.bench.gpu.run, "run_stage", run_stage)
    monkeypatch.setattr(launch.bench.gpu.run.time, "monotonic", lambda: clock[0])
    stages = [Stage(module=f"x.{name}", seconds=seconds) for name, seconds in {"a": 10, "b": 20, "c": 30}.items()]
    results = run_fakes(*stages, output=tmp_path / "bench.json")
    assert limits == [10.0, 26.0, 30.0]
    assert [result["seconds"] for result in results] == [4.0, 26.0, 0.0]


def test_chosen_stages__keep_their_order_and_must_exist():
    assert [stage.name for stage in chosen_stages(STAGES, ["zero", "attention"])] == ["attention", "zero"]
    assert chosen_stages(STAGES, []) == list(STAGES)
    with pytest.raises(UserError, match="unknown stage 'speed'; there is machine, attention,"):
        chosen_stages(STAGES, ["speed"])


def test_chosen_model__is_the_built_in_one_where_it_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr(launch.bench.gpu.run, "builtin_path", lambda: tmp_path)
    assert (chosen_model(on_gpu=True), chosen_model(on_gpu=False)) == (BUILTIN, TINY)
    monkeypatch.setattr(launch.bench.gpu.run, "builtin_path", lambda: tmp_path / "absent")
    assert chosen_model(on_gpu=True) == TINY


def test_heed_bench_gpu__without_a_gpu_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        main(["bench", "gpu"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "heed: there is no GPU here that torch can use: `heed doctor` says why; --device cpu rehearses the stages with "
        "tiny models\n"
    )


def test_heed_bench_gpu__help_needs_no_torch():
    program = "import sys; from launch.cli.main import app; app(['bench', 'gpu', '--help'], standalone_mode=False); "
    program += "assert 'torch' not in sys.modules"
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert "rehearses" in shown.stdout


def test_heed_bench_gpu__prints_rows_findings_and_a_table(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(bench_gpu.__kwdefaults__, "stages", (fake("finding"), fake("skipping")))
    output = tmp_path / "bench.json"
    with pytest.raises(SystemExit) as ended:
        main(["bench", "gpu", "--device", "cpu", "-o", str(output)])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "  gap 3\n  finding: the gap is 3\n" in printed
    assert "it needs two GPUs, and 1 can be seen" in printed
    assert "Rehearsal on the CPU" in printed
    assert printed.endswith(f"Numbers: {output}\n")
    assert [stage["status"] for stage in json.loads(output.read_text())["stages"]] == ["done", "skipped"]
