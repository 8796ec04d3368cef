"""`heed bench step`: prompts of the length asked for, ratios of the modes, and a real measurement on `tiny`."""

import pytest

from launch.bench.peak_memory import PeakMemory
from launch.bench.shapes import MODES, _row, bench_shapes, prompt_of
from rl.common.errors import UserError
from rl.models.load import load_tokenizer
from rl.models.tokenization import encode_prompt


@pytest.mark.parametrize("tokens", [60, 256])
def test_prompt_of__has_the_length_or_a_word_less(tokens):
    tokenizer = load_tokenizer("tiny")
    word = len(tokenizer(" sea", add_special_tokens=False)["input_ids"])
    assert tokens - word < len(encode_prompt(tokenizer, prompt_of("tiny", tokens))) <= tokens


def test_prompt_of__names_the_fewest_tokens():
    with pytest.raises(UserError, match=r"at least .* tokens .* got 2"):
        prompt_of("tiny", 2)


def test_row__compares_shared_with_separate_prompts_and_with_trl():
    def mode(step: float, learner: float | None, size: int) -> dict:
        measured = {"step_seconds": step, "step_seconds_spread": [step, step], "learner_seconds": learner}
        return {**measured, "learner_bytes": size, "sampled_tokens": 30.0}

    modes = dict(zip(MODES, (mode(10.0, None, 900), mode(8.0, 5.0, 800), mode(6.0, 3.0, 400)), strict=True))
    row = _row((60, 36, 8), modes)
    assert (row["learner_time_ratio"], row["learner_memory_ratio"], row["step_time_ratio_trl"]) == (0.6, 0.5, 0.6)


def test_bench_shapes__measures_every_mode():
    [row] = bench_shapes("tiny", [(60, 6, 4)], steps=1, rounds=1)
    assert (row["prompt_tokens"], row["completion_tokens"], row["num_generations"]) == (60, 6, 4)
    assert row["learner_time_ratio"] > 0 and row["step_time_ratio_trl"] > 0


def test_peak_memory__is_what_the_kernel_counts_from_the_start(tmp_path, monkeypatch):
    # a real block would be counted together with pages that the kernel takes back meanwhile
    monkeypatch.setattr("launch.bench.peak_memory.STATUS", tmp_path / "status")
    monkeypatch.setattr("launch.bench.peak_memory.CLEAR", tmp_path / "clear_refs")
    memory = PeakMemory()
    (tmp_path / "status").write_text("VmHWM:\t 9000 kB\nVmRSS:\t 1000 kB\n")
    memory.start()
    assert (tmp_path / "clear_refs").read_text() == "5"
    (tmp_path / "status").write_text("VmHWM:\t 5000 kB\nVmRSS:\t 2000 kB\n")
    assert memory.peak() == 4000 * 1024
