"""The example of a custom reward: the reward by hand, and a run that is paid by it."""

import pytest

from launch.examples.custom_reward import PROMPTS, main, short_words
from rl.runs.jsonl import read_jsonl


def test_short_words__by_hand():
    # Letters a word: 3, so (10 - 3) / 9; 12, more than ten; no word at all; and chat messages instead of text.
    assert short_words(["one two", "abcdefghijkl", " "]) == pytest.approx([7 / 9, 0.0, 0.0])
    assert short_words([[{"role": "assistant", "content": "a b"}]]) == [1.0]


def test_main__trains_on_its_prompts_with_its_reward(tmp_path):
    run = main(tmp_path)
    steps = [line for line in read_jsonl(run / "metrics.jsonl") if "rewards/short_words/mean" in line]
    assert len(steps) == 4
    assert all(0.0 < line["rewards/short_words/mean"] <= 1.0 for line in steps)
    prompts = {record["prompt"] for record in read_jsonl(run / "rollouts.jsonl")}
    assert prompts and all(any(prompt in shown for prompt in PROMPTS) for shown in prompts)
    assert (run / "adapters" / "default" / "adapter_model.safetensors").is_file()
