"""Stages of the bench of a GPU, rehearsed on the CPU: what each says here, and when it finds something."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from launch.bench.gpu import kernels, models, trainings
from launch.bench.gpu.stage import Row, Setup, Skipped
from launch.bench.gpu.stages import (
    attention,
    doctor,
    exactness,
    machine,
    memory,
    online_dpo,
    overhead,
    placement,
    probe_verbs,
    resume,
    routers,
    sampling,
    step_time,
    synchronizations,
    timeouts,
    zero,
)
from rl.rollouts.off_policy import OffPolicyCorrection

NO_NAN = {"query": 0, "key": 0, "value": 0}


@pytest.fixture
def rehearsal(tmp_path: Path) -> Setup:
    return Setup(on_gpu=False, model="tiny", folder=tmp_path)


def rows_of(stage: Any, setup: Setup) -> list[Row]:
    """Return a stage's rows, of which none may be a finding: the CPU's paths are exact."""
    rows = list(stage.measure(setup))
    assert [row["finding"] for row in rows if "finding" in row] == []
    return rows


def test_machine__names_the_versions(rehearsal):
    (software,) = rows_of(machine, rehearsal)
    assert (software["torch"], software["cuda"]) == (torch.__version__, torch.version.cuda)
    assert {"cudnn", "nccl", "git_revision", "packages"} <= software.keys()


# -- attention


def test_attention__rehearses_kernels_masks_a_model_and_its_calls(rehearsal):
    rows = rows_of(attention, rehearsal)
    tried = [row for row in rows if "mask" in row]
    assert len(tried) == 2 * 2 * len(kernels.KERNELS)
    # The CPU has a flash kernel and the plain products, of which neither gives NaN.
    for row in tried:
        if row["kernel"] in ("flash", "math"):
            assert (row["nan_outputs"], row["nan_gradients"]) == (0, NO_NAN)
        else:
            assert row["refused"]
    assert [row["cudnn"] for row in rows if "cudnn" in row] == ["on", "off"]
    calls = {row["shape"]: row for row in rows if "shape" in row}
    assert list(calls) == list(models.SHAPES)
    assert calls[models.QWEN]["decode padded"] == "flash_for_cpu"


def test_nan_counts__finds_them_where_they_are(monkeypatch):
    def attend(query: Tensor, key: Tensor, value: Tensor, *, attn_mask: Tensor) -> Tensor:
        # as cuDNN's: outputs are well, and of each fully masked row the query's gradient is NaN
        bad = query.detach().new_zeros(query.shape).masked_fill(~attn_mask.any(-1, keepdim=True), torch.nan)
        return value + key + (query * bad - (query * bad).detach()).nan_to_num(0.0)

    monkeypatch.setattr(attention, "scaled_dot_product_attention", attend)
    outputs, gradients = attention.nan_counts("boolean", 128, "cpu")
    # Four rows begin with 0, 32, 64 and 96 masked tokens: 192 in all, times 16 heads of 64 numbers.
    assert (outputs, gradients) == (0, {"query": 192 * 16 * 64, "key": 0, "value": 0})


@pytest.mark.parametrize("in_use", [True, False])
def test_kernel_row__nan_is_a_finding_in_kernels_that_runs_use(monkeypatch, in_use):
    monkeypatch.setattr(attention, "nan_counts", lambda *_: (0, {**NO_NAN, "query": 3}))
    row = attention.kernel_row("flash", "boolean", 576, "cpu", in_use=in_use)
    assert row["nan_gradients"]["query"] == 3
    assert ("finding" in row) == in_use


def test_refusal__is_well_and_a_failure_is_a_finding():
    assert kernels.refusal("flash", RuntimeError("No available kernel. Aborting execution.")) == {"refused": True}
    failed = kernels.refusal("cudnn", RuntimeError("cuDNN Frontend error: No valid execution plans built.\nmore"))
    assert failed == {"finding": "cudnn attention fails: cuDNN Frontend error: No valid execution plans built."}


def test_attention_mask__is_causal_and_leaves_padding_out():
    real = torch.tensor([[False, True, True]])
    allowed = [[False, False, False], [False, True, False], [False, True, True]]
    assert attention.attention_mask(real, "boolean").tolist() == [[allowed]]
    additive = attention.attention_mask(real, "additive")
    assert (additive == 0).tolist() == [[allowed]]
    assert additive.min() == torch.finfo(torch.bfloat16).min


# -- exactness


def test_exactness__holds_on_the_cpu(rehearsal):
    rows = rows_of(exactness, rehearsal)
    assert len(rows) == 2 * 2 * len(kernels.KERNELS) * 2
    read = [row for row in rows if "refused" not in row]
    assert {(row["kernel"], row["called"]) for row in read} == {("flash", "flash_for_cpu"), ("math", "math")}
    assert all(row["output_unchanged"] for row in read)
    assert max(row["fai"] for row in read if row["dtype"] == "float32") < 1e-5
    # a reading of bfloat16 that equals that of float32 to the last bit would not have been one of bfloat16
    assert min(row["span_mass"] for row in read if row["dtype"] == "bfloat16") > 1e-4
    assert {row["gradient_gap"] for row in read if row["backward"]} == {0.0}


def test_exactness__finds_wrong_readings_and_changed_outputs(monkeypatch):
    config = models.shape_config(models.LLAMA, on_gpu=False, num_hidden_layers=exactness.LAYERS)
    model = models.random_model(config, "cpu", torch.float32)
    batch = models.padded_batch(512, 40, [(0, 0), (7, 5)], "cpu")
    _, expected = exactness.recorded(model, batch)
    assert "finding" not in exactness.kernel_row("math", model, batch, expected, backward=True)
    changed = models.padded_batch(512, 40, [(0, 0), (9, 5)], "cpu")
    assert "are off by" in exactness.kernel_row("math", model, changed, expected, backward=False)["finding"]
    plain = exactness.recorded
    monkeypatch.setattr(exactness, "recorded", lambda *given: (plain(*given)[0] + 1e-3, plain(*given)[1]))
    row = exactness.kernel_row("math", model, batch, expected, backward=False)
    assert row["finding"] == "recording changes the outputs of math attention in torch.float32"


# -- time


def test_overhead__compares_each_shape_and_length(rehearsal, monkeypatch):
    monkeypatch.setattr(overhead, "ROUNDS", 2)
    monkeypatch.setattr(overhead, "REHEARSED_LENGTHS", (32,))
    rows = rows_of(overhead, rehearsal)
    assert [(row["shape"], row["length"]) for row in rows] == [(name, 32) for name in models.SHAPES]
    for row in rows:
        low, high = row["ratio_on_off_spread"]
        assert 0.0 < low <= row["ratio_on_off"] <= high


def test_sampling__tells_the_gap_of_both_number_formats(rehearsal):
    half, single = rows_of(sampling, rehearsal)
    assert (half["dtype"], single["dtype"]) == ("bfloat16", "float32")
    for row in (half, single):
        assert row["ms_per_token"] > 0
        assert 0 <= row["gap_mean"] <= row["gap_99_percent"] <= row["gap_max"]
    assert single["gap_max"] < 1e-4 < half["gap_max"]


def test_gap_recorder__keeps_the_gaps_of_real_tokens():
    recorder = sampling.GapRecorder(OffPolicyCorrection(mode="token_truncate", cap=2.0))
    live = {
        "row": [0],
        "staleness": [0],
        "completion_mask": torch.tensor([[1, 1, 0]]),
        "sampling_per_token_logps": torch.tensor([[-1.0, -2.0, 0.0]]),
        "advantages": torch.ones(1, 3),
    }
    recorder.apply(live, torch.tensor([[-1.5, -1.75, 9.0]]), loss_type="dapo")
    assert torch.cat(recorder.gaps).tolist() == [0.5, 0.25]


@pytest.mark.slow
def test_step_time__has_a_row_for_each_way_to_train(rehearsal):
    rows = rows_of(step_time, rehearsal)
    assert [row["mode"] for row in rows] == ["plain TRL", "separate prompts", "uniform", "constraint"]
    assert all(row["step_seconds"] > 0 for row in rows)
    assert rows[0]["ratio_to_plain TRL"] == 1.0


# -- synchronizations


def warned(place: str) -> warnings.WarningMessage:
    message = UserWarning("called a synchronizing CUDA operation (Triggered internally at CUDAFunctions.cpp:133.)")
    return warnings.WarningMessage(message, UserWarning, place, 7)


@pytest.mark.slow
def test_synchronizations__trains_each_way(rehearsal):
    rows = rows_of(synchronizations, rehearsal)
    # two steps of four micro-steps
    assert [(row["training"], row["micro_steps"]) for row in rows] == [
        ("GRPO uniform", 8),
        ("GRPO constraint", 8),
        ("DPO constraint", 8),
    ]


def test_micro_step_clock__cuts_warnings_at_each_micro_step():
    seen: list[warnings.WarningMessage] = [warned("before.py")]
    clock = synchronizations.MicroStepClock(seen)
    for step in range(2):
        clock.on_step_begin()
        for name in ("sample", "middle"):
            seen.append(warned(f"{name}-{step}.py"))
            clock.on_substep_end()
        clock.on_pre_optimizer_step()
        seen.extend([warned("update.py"), warned("update.py")])
        clock.on_step_end()
        seen.append(warned("logging.py"))
    counts = [[len(part) for part in step] for step in clock.steps]
    assert counts == [[1, 1, 0, 2], [1, 1, 0, 2]]
    assert synchronizations.synchronizing(clock.steps[1][0]) == ["sample-1.py:7"]


def test_sync_row__tells_ours_from_others_and_finds_too_many():
    ours, theirs = "rl/credit/assigner.py:9", "trl/trainer/grpo_trainer.py:5"
    step = [[theirs] * 40, [ours, theirs, theirs], [ours, theirs], [theirs] * 4, [theirs]]
    row = synchronizations.sync_row([step, step])
    assert (row["synchronizations"], row["ours"]) == (2.5, 1)
    assert (row["first"], row["last"], row["update"]) == (40, 4, 1)
    assert row["places"] == {theirs: 6, ours: 4}
    assert "finding" not in row
    step[1] = [ours] * 21
    # of 21, 2, 21 and 2 the median is 11.5
    assert "waits 11.5 times" in synchronizations.sync_row([step, step])["finding"]


def test_short_path__begins_at_the_project_or_the_packages():
    assert synchronizations.short_path(synchronizations.__file__).startswith("launch/bench/gpu/stages/sync")
    assert synchronizations.short_path("/x/lib/site-packages/trl/a.py") == "trl/a.py"


# -- memory and timeouts


def test_memory__rehearses_a_load_a_training_and_a_group(rehearsal):
    context, load, training, group = rows_of(memory, rehearsal)
    assert context["bytes"] is group["bytes"] is None
    assert 0 < load["rss_before"] <= load["rss_peak"]
    assert training["planned"] == context["planned"] + max(training["phases"].values())
    assert training["rss"] > 0


def test_training_row__finds_a_plan_that_is_too_low(rehearsal, monkeypatch):
    monkeypatch.setattr(memory, "train_peaks", lambda *_, **__: {"allocated": 2_000_000_000, "reserved": 3_000_000_000})
    config = trainings.training_config(rehearsal)
    fits = memory.training_row(config, rehearsal, planned=4_000_000_000, context=500_000_000)
    assert (fits["measured"], fits["ratio"]) == (3_500_000_000, 0.875)
    assert "finding" not in fits
    row = memory.training_row(config, rehearsal, planned=3_400_000_000, context=500_000_000)
    assert row["finding"] == "a training takes 3.5 GB of the GPU, and its plan says 3.4"


def test_timeout_row__finds_a_group_with_another_timeout(rehearsal, monkeypatch, tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        row = timeouts.timeout_row(rehearsal)
    finally:
        torch.distributed.destroy_process_group()
    # gloo's own half hour, and not the 1,800 s of a rank with 2,700 s for its workers
    assert (row["backend"], row["group_seconds"], row["asked_seconds"]) == ("gloo", 1800.0, 4500.0)
    assert row["finding"] == "the process group waits 1800 s, and 4500 were asked for"


# -- runs


@pytest.mark.slow
def test_resume__is_exact_on_the_cpu(rehearsal):
    for row in rows_of(resume, rehearsal):
        assert (row["gap_resumed"], row["gap_repeated"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("weights", "found"), [([1.0, 1.0, 1.5], True), ([1.0, 1.0, 1.0], False), ([1.0, 1.25, 1.5], False)]
)
def test_resume_row__finds_a_gap_only_where_the_training_repeats(weights, found, rehearsal, monkeypatch, tmp_path):
    outcomes = iter(weights)  # the first training, its repetition, and the resumed one

    def trained(config: Any, folder: Path, checkpoint: Path | None = None) -> dict[str, Tensor]:
        folder.mkdir(parents=True, exist_ok=True)
        return {"lora": torch.tensor([next(outcomes)])}

    monkeypatch.setattr(resume, "trained", trained)
    row = resume.resume_row(trainings.training_config(rehearsal), tmp_path)
    assert (row["gap_repeated"], row["gap_resumed"]) == (weights[1] - 1.0, weights[2] - 1.0)
    assert ("finding" in row) == found


def test_routers__fits_and_trains_each(rehearsal, monkeypatch):
    monkeypatch.setattr(routers, "ROUTERS", ("attention",))
    (row,) = rows_of(routers, rehearsal)
    assert row["devices"] == ["cpu"]
    assert sum(row["load"].values()) == pytest.approx(1.0)


@pytest.mark.slow
def test_routers__has_a_row_for_each_router(rehearsal):
    assert [row["router"] for row in rows_of(routers, rehearsal)] == list(routers.ROUTERS)


@pytest.mark.slow
def test_online_dpo__has_a_row_for_each_round(rehearsal):
    first, second, both = rows_of(online_dpo, rehearsal)
    assert (first["round"], second["round"], both["steps"]) == (1, 2, 4)
    assert first["pairs"] > 0


def test_probe_verbs__reads_calibrates_and_fits(rehearsal):
    assert [row["command"] for row in rows_of(probe_verbs, rehearsal)] == ["probe", "calibrate", "baseline"]
    assert {path.name for path in rehearsal.folder.iterdir()} == {"page", "roles.json", "baseline"}


@pytest.mark.parametrize(("peak", "found"), [(0, True), (4096, False)])
def test_gpu_peak__is_a_finding_where_the_gpu_was_left_idle(peak, found, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: peak)
    row = trainings.gpu_peak(Setup(on_gpu=True, model="tiny", folder=tmp_path))
    assert (row["peak_bytes"], "finding" in row) == (peak, found)


@pytest.mark.slow
def test_zero__publishes_what_it_trains(rehearsal, monkeypatch):
    monkeypatch.setattr(zero, "STAGES", (3,))
    (row,) = rows_of(zero, rehearsal)
    assert (row["zero"], row["steps"]) == (3, 2)
    assert row["grad_norm"] > 0
    assert row["probe_gap"] < 0.1


def test_zero__without_deepspeed_is_skipped(rehearsal, monkeypatch):
    monkeypatch.setattr(zero.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Skipped, match="DeepSpeed is not installed"):
        next(zero.measure(rehearsal))


def test_placement__needs_two_gpus(rehearsal, monkeypatch):
    monkeypatch.setattr(placement, "visible_gpus", lambda: 1)
    with pytest.raises(Skipped, match="it needs two GPUs, and 1 can be seen"):
        next(placement.measure(rehearsal))


@pytest.mark.slow
def test_placement__trains_a_step_with_two_ranks(rehearsal, monkeypatch):
    monkeypatch.setattr(placement, "STARTS", {"two ranks": placement.STARTS["two ranks"]})
    (row,) = placement.start_rows(rehearsal.folder)
    assert row == {"start": "two ranks", "workers_on": [], "steps": 1}


@pytest.mark.parametrize(("gpu", "found"), [("0", True), ("1", False)])
def test_start_row__finds_a_worker_beside_the_rank(gpu, found, monkeypatch, tmp_path):
    monkeypatch.setattr(placement, "place_workers", lambda config: (gpu,))
    monkeypatch.setattr(placement, "heed", lambda *arguments: "")
    row = placement.start_row(["rollouts.workers=1"], tmp_path)
    assert row["workers_on"] == [gpu]
    assert ("finding" in row) == found


def test_doctor__findings_are_the_checks_that_fail(rehearsal, monkeypatch):
    checks = [("driver", "fail", "too old"), ("disk", "warn", "3 GB")]
    said = [{"name": name, "level": level, "finding": finding} for name, level, finding in checks]
    asked: list[Any] = []

    def heed(*arguments: str, accepted: tuple[int, ...]) -> str:
        asked.append((arguments, accepted))
        return json.dumps(said)

    monkeypatch.setattr(doctor, "heed", heed)
    driver, disk = doctor.measure(rehearsal)
    assert asked == [(("doctor", "--json"), (0, 1))]
    assert driver == {"check": "driver", "level": "fail", "said": "too old", "finding": "doctor: too old"}
    assert disk == {"check": "disk", "level": "warn", "said": "3 GB"}


def test_heed__runs_a_command_and_raises_for_another_exit_code(capfd):
    assert '"trainer"' in trainings.heed("train", "tiny", "--dry-run", "--json")
    with pytest.raises(RuntimeError, match="`heed train nowhere` ended with exit code 2"):
        trainings.heed("train", "nowhere")


# -- models


def test_shape_config__is_of_the_named_kind_and_tiny_in_a_rehearsal():
    sizes: Iterator[tuple[str, int, int]] = (
        (config.model_type, config.hidden_size, config.num_hidden_layers)
        for config in (models.shape_config(name, on_gpu=True) for name in models.SHAPES)
    )
    assert list(sizes) == [("qwen2", 896, 24), ("llama", 2048, 16), ("qwen3", 4096, 36)]
    small = models.shape_config(models.QWEN3, on_gpu=False, num_hidden_layers=2)
    assert (small.model_type, small.hidden_size, small.num_hidden_layers) == ("qwen3", 64, 2)


def test_padded_batch__pads_to_the_left_and_to_the_right():
    batch = models.padded_batch(512, 5, [(0, 0), (2, 1)], "cpu")
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [0, 0, 1, 1, 0]]
    assert batch["input_ids"].shape == (2, 5)


# -- on a GPU, as far as fakes can tell


@pytest.fixture
def on_gpu(tmp_path: Path) -> Setup:
    return Setup(on_gpu=True, model="tiny", folder=tmp_path)


def test_torch_properties__names_the_capability(monkeypatch):
    card = SimpleNamespace(
        name="NVIDIA H100 80GB HBM3", major=9, minor=0, total_memory=85_029_158_912, multi_processor_count=132
    )
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: card)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not including_emulation)
    assert machine.torch_properties(0) == {
        "index": 0,
        "name": "NVIDIA H100 80GB HBM3",
        "capability": "sm_90",
        "memory": 85_029_158_912,
        "multiprocessors": 132,
        "bfloat16": True,
    }


def test_overhead__leaves_out_shapes_that_do_not_fit(on_gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (0, 24_000_000_000))
    rows = list(overhead.measure(on_gpu))
    # 494,032,768, 1,235,814,400 and some 8.19 billion parameters of two bytes
    sizes = ["its weights take 1 GB", "its weights take 2 GB", "its weights take 16 GB"]
    assert [row["skipped"] for row in rows] == [f"{size}, and too little is free" for size in sizes]


def test_debugged__warns_in_the_block_only(monkeypatch):
    modes: list[str] = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    with pytest.raises(ValueError, match="in the block"), synchronizations.debugged(True):
        assert modes == ["warn"]
        raise ValueError("in the block")
    assert modes == ["warn", "default"]


def test_memory__without_nvidia_smi_is_skipped(on_gpu, monkeypatch):
    monkeypatch.setattr(memory, "nvidia_gpus", list)
    with pytest.raises(Skipped, match="nvidia-smi tells nothing"):
        next(memory.measure(on_gpu))


def test_group_bytes__are_what_is_free_less_afterwards(rehearsal, monkeypatch):
    free = iter([7_000_000_000, 6_300_000_000])
    monkeypatch.setattr(memory, "free_bytes", lambda on_gpu: next(free))
    assert memory.group_bytes(rehearsal) == 700_000_000


def test_zero__without_bfloat16_is_skipped(on_gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(Skipped, match="multiplies no bfloat16"):
        next(zero.measure(on_gpu))
