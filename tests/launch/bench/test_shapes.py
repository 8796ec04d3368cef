"""`heed bench step`: prompts of the length asked for, ratios of the modes, and a real measurement on `tiny`."""

import pytest
import torch

from launch.bench.arithmetic import fewest_operations, multiply_rate
from launch.bench.peak_memory import PeakMemory
from launch.bench.phases import StepClock
from launch.bench.shapes import MODES, _row, bench_shapes, prompt_of, write_chart
from rl.common.errors import UserError
from rl.models.load import load_model, load_tokenizer
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
    def mode(step: float, learner: float, size: int) -> dict:
        measured = {"computed_seconds": step, "learner_seconds": learner, "learner_seconds_spread": [learner, learner]}
        phases = {"seconds_by_phase": {}, "bytes_by_phase": {}}
        return {**measured, **phases, "learner_bytes": size, "sampled_tokens": 30.0}

    modes = dict(zip(MODES, (mode(10.0, 7.0, 900), mode(8.0, 5.0, 800), mode(6.0, 3.0, 400)), strict=True))
    row = _row((60, 36, 8), modes, lambda shape, length: shape[2] * length)
    assert (row["learner_time_ratio"], row["learner_memory_ratio"], row["step_time_ratio_trl"]) == (0.6, 0.5, 0.6)
    assert row["learner_limit_seconds"] == 240


def test_bench_shapes__trains_every_mode_on_the_prompt_of_the_shape(tmp_path):
    lengths = []

    class Watched(StepClock):
        def watch(self, trainer):
            [row] = trainer.train_dataset  # pyright: ignore[reportGeneralTypeIssues]
            lengths.append(len(encode_prompt(load_tokenizer("tiny"), dict(row)["prompt"])))
            super().watch(trainer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("launch.bench.steps.StepClock", Watched)
        [row] = bench_shapes("tiny", [(60, 6, 4)], steps=1, rounds=1)
    assert len(lengths) == 3 and len(set(lengths)) == 1 and 50 < lengths[0] <= 60
    assert (row["prompt_tokens"], row["completion_tokens"], row["num_generations"]) == (60, 6, 4)
    assert row["learner_time_ratio"] > 0 and row["step_time_ratio_trl"] > 0
    write_chart([row, row], tmp_path / "step.png")
    assert (tmp_path / "step.png").read_bytes().startswith(b"\x89PNG")


def test_fewest_operations__multiplies_every_token_by_every_weight_of_its_layers():
    model = load_model("tiny", dtype=torch.float32)
    config = model.config
    heads = config.num_attention_heads * config.head_dim + 2 * config.num_key_value_heads * config.head_dim
    attention = config.hidden_size * (heads + config.num_attention_heads * config.head_dim)
    layers = config.num_hidden_layers * (attention + 3 * config.hidden_size * config.intermediate_size)
    operations = 4 * (layers * (10 + 2 * 3) + config.vocab_size * config.hidden_size * 2 * 3)
    assert fewest_operations(model, prompt=10, completions=2, length=3) == operations


def test_multiply_rate__counts_two_operations_for_each_product(monkeypatch):
    monkeypatch.setattr("launch.bench.arithmetic.SIZE", 4)
    monkeypatch.setattr("launch.bench.arithmetic.seconds_of", lambda run: run() or 0.5)
    assert multiply_rate(torch.float32, torch.device("cpu"), rounds=10) == 2 * 4**3 * 10 / 0.5


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
