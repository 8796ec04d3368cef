"""GRPO: uniform credit is TRL's own training, bit for bit (law 1); a rule that shares credit is not."""

import json
from pathlib import Path
from typing import Any

import pytest

from rl.config.root import Config
from rl.models.answers import answer_text
from rl.models.tokenization import encode_prompt
from rl.rollouts.rollout_func import PLACEHOLDER_POSITION
from tests.rl.grpo_fixtures import Outcome, credit_trainer, outcome, plain_config, plain_trainer, tiny_config
from tests.rl.thinking import thinking_tokenizer


def train(config: Config, folder: Path) -> Outcome:
    trainer = credit_trainer(config, folder)
    trainer.train()
    return outcome(trainer)


def train_plainly(config: Config, folder: Path) -> Outcome:
    trainer = plain_trainer(config, folder)
    trainer.train()
    return outcome(trainer)


@pytest.mark.parametrize("num_iterations", [1, 2])
@pytest.mark.parametrize("loss_type", ["dapo", "grpo", "dr_grpo"])
def test_uniform_credit__is_plain_grpo(loss_type, num_iterations, tmp_path):
    changes = {"loss_type": loss_type, "num_iterations": num_iterations}
    plain = train_plainly(plain_config(trainer=changes), tmp_path / "plain")
    assert len(plain.losses) == 4 and all(plain.grad_norms), "there was something to learn"
    assert train(plain_config(trainer=changes), tmp_path / "off") == plain
    assert train(plain_config(trainer=changes, probe={"listen": "always"}), tmp_path / "recording") == plain


def test_uniform_credit__draws_none_of_dropouts_random_numbers(tmp_path):
    config = plain_config(lora={"dropout": 0.2}, probe={"listen": "always"})
    assert train(config, tmp_path / "credit") == train_plainly(config, tmp_path / "plain")


def test_uniform_credit__is_plain_grpo_when_a_buffer_spans_optimizer_steps(tmp_path):
    config = plain_config(trainer={"steps_per_generation": 4}, probe={"listen": "always"})
    assert train(config, tmp_path / "credit") == train_plainly(config, tmp_path / "plain")


@pytest.mark.slow
@pytest.mark.parametrize("loss_type", ["bnpo", "cispo", "sapo", "vespo"])
def test_uniform_credit__is_plain_grpo_under_the_rarer_losses(loss_type, tmp_path):
    config = plain_config(trainer={"loss_type": loss_type, "num_iterations": 2}, probe={"listen": "always"})
    assert train(config, tmp_path / "credit") == train_plainly(config, tmp_path / "plain")


@pytest.mark.slow
def test_uniform_credit__is_plain_grpo_under_gradient_checkpointing(tmp_path):
    # the backward pass runs each layer a second time, which the probe must not hear
    config = plain_config(trainer={"gradient_checkpointing": True}, probe={"listen": "always"})
    assert train(config, tmp_path / "credit") == train_plainly(config, tmp_path / "plain")


@pytest.mark.slow
def test_truncated_completions__may_be_masked_entirely(tmp_path):
    # then whole rows, and most micro-batches, have no real token left
    changes = {"mask_truncated_completions": True, "max_completion_length": 4}
    config = tiny_config(trainer=changes, credit={"rule": "global_anchor"})
    uniform = plain_config(trainer=changes, probe={"listen": "always"})
    assert train(uniform, tmp_path / "credit") == train_plainly(uniform, tmp_path / "plain")
    assert len(train(config, tmp_path / "shared").losses) == 4


def test_generate__gives_rewards_the_text_that_evaluation_judges(tmp_path):
    # TRL takes an answer with a malformed tool call whole
    trainer, tokenizer = credit_trainer(tiny_config(), tmp_path), thinking_tokenizer()
    trainer.processing_class = trainer._tokenizer = tokenizer
    chat = [{"role": "user", "content": "Describe the sea."}]
    prompt = encode_prompt(tokenizer, chat)
    answers = [
        list(tokenizer(text)["input_ids"])
        for text in ("<think>Green?</think>\nBlue.<|im_end|>", "<tool_call>{}</tool_call>Blue.<|im_end|>")
    ]
    sampled = {
        "prompt_ids": [list(prompt)] * 2,
        "completion_ids": answers,
        "logprobs": [[0.0] * len(a) for a in answers],
    }
    trainer.rollout_func = lambda prompts, trainer: sampled
    completions = trainer._generate([chat] * 2)[3]
    assert [message["content"] for [message] in completions] == ["Blue.", "Blue."]
    assert [answer_text(tokenizer, prompt, ids) for ids in answers] == ["Blue.", "Blue."]


def prompt_and_answer_lengths(prompts: list, completions: list, **columns: Any) -> list[float]:
    return [100.0 * len(prompt) + len(completion) for prompt, completion in zip(prompts, completions, strict=True)]


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        # as text: 17 and 14 characters of prompt, 5 and 2 of answer
        (["Describe the sea.", "Describe rain."], [[1705.0], [1402.0]]),
        # as lists: one message each
        ([[{"role": "user", "content": "Describe the sea."}], "Describe rain."], [[101.0], [101.0]]),
    ],
)
def test_rewards__get_text_where_every_prompt_is_text(prompts, expected, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
    functions = [f"{__file__}:prompt_and_answer_lengths"]
    trainer = credit_trainer(tiny_config(data={"path": str(path)}, rewards={"functions": functions}), tmp_path)
    rows = list(trainer.train_dataset)
    completions = [[{"role": "assistant", "content": text}] for text in ("Blue.", "No")]
    trainer.rollouts.positions = [PLACEHOLDER_POSITION] * 2  # nothing was dispatched
    rewards = trainer._calculate_rewards(rows, [row["prompt"] for row in rows], completions, [[5], [6]])
    assert rewards[:, -1:].tolist() == expected


@pytest.mark.parametrize("rule", ["random", "global_anchor"])
def test_shared_credit__changes_the_gradient_but_not_the_first_loss(rule, tmp_path):
    # On policy every ratio is 1, so the first loss is the sum of advantage x weight over the tokens: preserving the
    # mass of each completion preserves it, although other tokens carry it.
    uniform = train(tiny_config(), tmp_path / "uniform")
    shared = train(tiny_config(credit={"rule": rule}), tmp_path / rule)
    assert shared.losses[0] == pytest.approx(uniform.losses[0], abs=1e-6)
    assert shared.grad_norms[0] != uniform.grad_norms[0]
    assert shared.losses[1:] != uniform.losses[1:]
    assert shared.adapter != uniform.adapter


def test_training__twice_gives_the_same_bits(tmp_path):
    config = tiny_config(credit={"rule": "global_anchor"})
    assert train(config, tmp_path / "once") == train(config, tmp_path / "again")


def test_metrics__concentration_and_readings_are_logged_each_step(tmp_path):
    trainer = credit_trainer(tiny_config(credit={"rule": "global_anchor"}), tmp_path)
    trainer.train()
    steps = [line for line in trainer.state.log_history if "loss" in line]
    assert len(steps) == 4
    for line in steps:
        assert 0.0 < line["credit/gini"] < 1.0
        assert 0.0 < line["credit/effective_token_ratio"] < 1.0
        assert 0.0 <= line["credit/overlap_position"] <= 1.0
        assert 0.0 <= line["credit/overlap_entropy"] <= 1.0
        assert line["probe/fai_mean"] > 0.0
        assert line["probe/waad_mean"] > 0.0


def test_buffered_batch__is_never_changed(tmp_path):
    trainer = credit_trainer(tiny_config(credit={"rule": "random"}, trainer={"num_iterations": 2}), tmp_path)
    trainer.train()
    assert trainer._buffered_inputs and all(batch["advantages"].dim() == 1 for batch in trainer._buffered_inputs)
