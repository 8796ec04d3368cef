"""Base models: without a chat template, with no pad token, more embeddings than tokens and two end tokens."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers.processors import TemplateProcessing
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from data.problems import Problem
from rl.common.errors import UserError
from rl.models.load import load_model, load_tokenizer
from rl.models.tiny import tiny_tokenizer
from rl.models.tiny_shape import TINY_SHAPE
from rl.models.tokenization import encode_problems, encode_prompt, prompt_spans
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import generation_config
from rl.rollouts.types import RolloutRequest
from rl.runs.jsonl import read_jsonl
from rl.train import train
from tests.rl.dpo_fixtures import comma_pair, credit_dpo_trainer, tiny_dpo_config, write_pairs
from tests.rl.grpo_fixtures import tiny_config

PROMPTS = ("The sea is", "The rain is", "The hill is", "The road is", "The sky is")
EMBEDDINGS = 640
"""Of a model whose tokenizer has 512 tokens, as published models pad theirs."""
BEGIN, END = 1, 2


@pytest.fixture(scope="module")
def base_model(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**{**TINY_SHAPE, "vocab_size": EMBEDDINGS}))
    model.generation_config.eos_token_id = [END, 0]
    model.save_pretrained(folder)
    base_tokenizer().save_pretrained(folder)
    return str(folder)


def base_tokenizer() -> PreTrainedTokenizerBase:
    """Return the tiny tokenizer as a base model's: it begins every text with a token of its own, as Llama's does."""
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = tokenizer.pad_token = None
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", BEGIN)]
    )
    return tokenizer


def problem(*contents: str) -> Problem:
    roles = ("system", "user") if len(contents) == 2 else ("user",)
    return Problem(
        problem_id="sea",
        messages=tuple({"role": role, "content": text} for role, text in zip(roles, contents, strict=True)),
    )


def test_encode_problems__without_a_template_a_prompt_is_its_text_as_it_is(base_model):
    tokenizer = load_tokenizer(base_model)
    assert tokenizer.pad_token == tokenizer.eos_token
    [ids] = encode_problems(tokenizer, [problem("The sea is")])
    assert ids[0] == BEGIN and tokenizer.decode(ids[1:]) == "The sea is"
    assert ids == encode_prompt(tokenizer, "The sea is") == tuple(tokenizer("The sea is")["input_ids"])


def test_encode_problems__several_messages_need_a_template(base_model):
    with pytest.raises(UserError, match=r"has no chat template, .* got messages of the roles system, user"):
        encode_problems(load_tokenizer(base_model), [problem("Be brief.", "The sea is")])


def test_prompt_spans__without_a_template_count_the_token_that_begins_the_text():
    tokenizer, text = base_tokenizer(), " The sea is"
    messages = [{"role": "user", "content": text}]
    ids = encode_prompt(tokenizer, messages)
    spans = prompt_spans(tokenizer, messages, ids)
    assert spans[0][0] == spans[0][1], "the token before the text has no character of it"
    assert "".join(text[start:end] for start, end in spans[1:]) == text


def test_engine__each_of_several_end_tokens_ends_an_answer(base_model):
    model, tokenizer = load_model(base_model), load_tokenizer(base_model)
    config = tiny_config()
    engine = TransformersEngine(model, tokenizer, generation_config(config.trainer, config.rollouts))
    request = RolloutRequest(position=0, prompts=((5, 6),), num_generations=3, version=0, seed=0)
    rows = [[9, 0, 2], [9, 2, 2], [9, 9, 9]]
    samples = engine._samples(request, rows, [[0.0] * 3] * 3, [])
    assert [sample.finish_reason for sample in samples] == ["stop", "stop", "length"]
    assert [sample.completion_ids for sample in samples] == [(9, 0), (9, 2), (9, 9, 9)]


def write_prompts(folder: Path) -> str:
    path = folder / "prompts.jsonl"
    rule = {"id": "punctuation:no_comma", "text": "sea", "spans": [[4, 7]]}
    path.write_text("".join(json.dumps({"prompt": text, "constraints": [rule]}) + "\n" for text in PROMPTS))
    return str(path)


def test_grpo__a_base_model_is_trained_evaluated_and_recorded_on_text(base_model, tmp_path):
    config = tiny_config(
        model={"name": base_model},
        data={"path": write_prompts(tmp_path), "held_out": 1},
        rewards={"satisfaction_weight": 1.0},
        credit={"rule": "combined"},
        trainer={"max_steps": 1},
        run={"folder": str(tmp_path / "run")},
        tracking={"report_to": []},
    )
    run = train(config)
    records = read_jsonl(run / "rollouts.jsonl")
    assert {record["prompt"] for record in records} <= set(PROMPTS)
    assert json.loads((run / "summary.json").read_text())["steps"] == 1
    answers = json.loads((run / "after.json").read_text())["answers"]
    assert len(answers) == 1


def test_dpo__a_base_model_is_trained_on_text_that_its_tokenizer_alone_writes(base_model, tmp_path):
    config = tiny_dpo_config(write_pairs(tmp_path), model={"name": base_model}, credit={"rule": "combined"})
    trainer = credit_dpo_trainer(config, tmp_path / "run")
    tokenizer, row = trainer.policy_tokenizer, trainer.train_dataset[0]
    pair = comma_pair("rain")
    assert row["prompt_ids"] == list(encode_problems(tokenizer, [pair.problem])[0])
    assert row["chosen_ids"][-1] == END and tokenizer.decode(row["chosen_ids"][:-1]) == pair.chosen.text
    trainer.train()
    assert trainer.state.global_step == 3
