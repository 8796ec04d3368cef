"""Thinking models train: verifiers, guards and records see the answer, whoever samples and whichever trainer."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.preferences import pair_row, preference_pairs
from data.reasoning import ReasoningTags
from data.writing import write_rows
from rl.config.root import Config
from rl.credit.pairs import pair_inputs
from rl.datasets import load_training
from rl.models.tokenization import completion_spans
from rl.rollouts.local import LocalSampler
from rl.trainers.grpo import CreditGRPOTrainer
from tests.rl.dpo_fixtures import NOUNS, comma_pair, credit_dpo_trainer, tiny_dpo_config
from tests.rl.grpo_fixtures import credit_trainer, outcome, tiny_config
from tests.rl.rollouts.in_process_pool import use_in_process_pool
from tests.rl.thinking import HYBRID, OPENING, save_thinking_model

THOUGHTS = (
    "<think>Blue, or green?</think>\nIt is calm.",
    "<think>x</think>It is blue, and calm.",
    "<think>x, y",
    "a, b",
)
"""Without a comma in the answer; with one; without an answer; without a thought."""


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_thinking_model(tmp_path_factory.mktemp("hybrid"), HYBRID)


@pytest.fixture(scope="module")
def opening(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_thinking_model(tmp_path_factory.mktemp("opening"), OPENING)


def seen(thought: list[str], completions: list, thought_tokens: list[int], **columns: Any) -> list[float]:
    """A reward function of the user's, which asks for the thought: it is 1 for an answer longer than it."""
    return [float(len(text[-1]["content"]) > len(one)) for text, one in zip(completions, thought, strict=True)]


class Scripted:
    """The trainer's own engine, whose completions are given texts, one after the other."""

    def __init__(self, engine: Any):
        self.engine = engine

    def sample(self, request: Any) -> list:
        samples = []
        for index, sample in enumerate(self.engine.sample(request)):
            text = THOUGHTS[index % len(THOUGHTS)] + "<|im_end|>"
            ids = tuple(self.engine.tokenizer(text, add_special_tokens=False)["input_ids"])
            samples.append(replace(sample, completion_ids=ids, logprobs=(-1.0,) * len(ids), finish_reason="stop"))
        return samples


def train(config: Config, folder: Path, *, scripted: bool = False) -> CreditGRPOTrainer:
    trainer = credit_trainer(config, folder)
    if scripted:
        assert isinstance(trainer.rollouts.sampler, LocalSampler)
        trainer.rollouts.sampler.engine = Scripted(trainer.rollouts.sampler.engine)
    try:
        trainer.train()
    finally:
        trainer.rollouts.close()
    return trainer


def config_of(folder: str, **sections: dict[str, Any]) -> Config:
    return tiny_config(
        model={"name": folder, "dtype": "float32", **sections.pop("model", {})},
        data={"num_problems": 8, "held_out": 0, "kinds": ["punctuation:no_comma"], "max_constraints": 1},
        **sections,
    )


def test_grpo__judges_the_answer_and_records_the_thought_apart(hybrid, tmp_path):
    rewards = {
        "satisfaction_weight": 1.0,
        "functions": [f"{__file__}:seen"],
        "unfinished": 0.5,
        "guards": ["plain_characters"],
    }
    config = config_of(
        hybrid, model={"reasoning": "auto"}, rewards=rewards, credit={"rule": "constraint"}, trainer={"max_steps": 1}
    )
    trainer = train(config, tmp_path, scripted=True)
    [line] = [line for line in trainer.state.log_history if "loss" in line]
    # of four answers the first has no comma, the second and fourth have one, and the third is empty
    assert line["constraint/punctuation:no_comma/pass_rate"] == pytest.approx(1 / 4)
    assert line["completions/unfinished_thoughts"] == pytest.approx(1 / 4)
    assert line["guard/finished"] == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    # the answers have 11, 21, 0 and 4 characters, the thoughts 15, 1, 4 and 0
    assert line["rewards/seen/mean"] == pytest.approx(2 / 4)
    records = [json.loads(text) for text in (tmp_path / "rollouts.jsonl").read_text().splitlines()]
    assert {record["completion"] for record in records} <= set(THOUGHTS)
    thoughtful = [record for record in records if "answer_start" in record]
    assert thoughtful
    for record in thoughtful:
        assert record["completion"][record["answer_start"] :] in ("It is calm.", "It is blue, and calm.", "")
        for start, end in record["verdicts"][0]["evidence"]:
            assert record["completion"][start:end] == "," and start >= record["answer_start"]


@pytest.mark.parametrize("region", ["answer", "thought"])
def test_grpo__credit_goes_to_one_region_alone_at_a_mean_weight_of_1(region, hybrid, tmp_path):
    config = config_of(
        hybrid, model={"reasoning": "auto"}, credit={"rule": "uniform", "region": region}, trainer={"max_steps": 1}
    )
    trainer = train(config, tmp_path, scripted=True)
    records = [json.loads(text) for text in (tmp_path / "rollouts.jsonl").read_text().splitlines()]
    spans = {
        "<think>Blue, or green?</think>\nIt is calm.": (31, 42),
        "<think>x</think>It is blue, and calm.": (16, 37),
        "<think>x, y": (11, 11),
        "a, b": (0, 4),
    }
    for record in records:
        start, end = spans[record["completion"]]
        pieces = completion_spans(trainer.policy_tokenizer, record["completion_ids"])
        last = len(pieces) - 1
        in_answer = [span[1] > start or (index == last and end > start) for index, span in enumerate(pieces)]
        expected = [float(inside == (region == "answer")) for inside in in_answer]
        assert record["weights"] == expected, record["completion"]


def test_grpo__a_thought_beyond_its_budget_costs(hybrid, tmp_path):
    rewards = {
        "satisfaction_weight": 0.0,
        "functions": [f"{__file__}:seen"],
        "thought_budget": {"tokens": 8, "weight": 2},
    }
    trainer = train(
        config_of(hybrid, model={"reasoning": "auto"}, rewards=rewards, trainer={"max_steps": 1}),
        tmp_path,
        scripted=True,
    )
    [line] = [line for line in trainer.state.log_history if "loss" in line]
    counts = [
        len(trainer.policy_tokenizer(text)["input_ids"])
        for text in ("<think>Blue, or green?</think>\n", "<think>x</think>")
    ]
    counts += [len(trainer.policy_tokenizer("<think>x, y<|im_end|>")["input_ids"]), 0]
    penalties = [-min(1.0, max(0, count - 8) / 8) for count in counts]
    assert line["rewards/thought_budget/mean"] == pytest.approx(sum(penalties) / 4, abs=1e-3)
    assert trainer.reward_weights.tolist() == [2.0, 1.0]


def test_grpo__without_reasoning_set_all_is_judged_and_a_warning_says_so(hybrid, tmp_path, caplog):
    rewards = {"satisfaction_weight": 1.0, "functions": []}
    trainer = train(config_of(hybrid, rewards=rewards, trainer={"max_steps": 1}), tmp_path, scripted=True)
    [line] = [line for line in trainer.state.log_history if "loss" in line]
    assert line["constraint/punctuation:no_comma/pass_rate"] == 0.0
    assert not any("thought" in name for name in line)
    assert "has thoughts between <think> and </think>, which are judged" in caplog.text


def test_grpo__a_thinking_model_trains_alike_in_process_and_on_workers(opening, tmp_path, monkeypatch):
    model = {"reasoning": {"start": "<think>", "end": "an"}}  # an end that a random model writes, too
    alone = train(config_of(opening, model=model), tmp_path / "alone")
    use_in_process_pool(monkeypatch)
    by_workers = train(
        config_of(opening, model=model, rollouts={"workers": 1, "groups_per_unit": 1}), tmp_path / "pool"
    )
    assert outcome(alone) == outcome(by_workers)
    lines = [line for line in alone.state.log_history if "loss" in line]
    assert 0.0 < sum(line["completions/unfinished_thoughts"] for line in lines) < len(lines)


def test_grpo__prompts_are_rendered_with_the_template_values(hybrid, tmp_path):
    model = {"chat_template_kwargs": {"enable_thinking": False}}
    trainer = train(config_of(hybrid, model=model, trainer={"max_steps": 1}), tmp_path)
    prompt = trainer.policy_tokenizer.decode(trainer._buffered_inputs[0]["prompt_ids"][0])
    assert prompt.endswith("assistant\n<think>\n\n</think>\n\n")


@pytest.mark.parametrize("template", [HYBRID, OPENING])
def test_dpo__trains_on_thoughts_and_places_evidence_in_the_answers(template, tmp_path):
    name = save_thinking_model(tmp_path / "model", template)
    pairs = []
    for noun in NOUNS:
        plain = comma_pair(noun)
        texts = [f"<think>It, or not, {noun}?</think>\n{answer.text}" for answer in (plain.chosen, plain.rejected)]
        pairs += [(plain.problem, texts)]
    rows = [pair_row(pair) for pair in preference_pairs(pairs, tags=ReasoningTags(start="<think>", end="</think>"))]
    path = write_rows(rows, tmp_path / "pairs.jsonl")
    config = tiny_dpo_config(
        path, model={"name": name, "reasoning": "auto"}, credit={"rule": "constraint"}, trainer={"max_steps": 1}
    )
    trainer = credit_dpo_trainer(config, tmp_path / "run")
    training = load_training(config).train
    assert len(training) == len(NOUNS) - 2, "without the tags both answers have commas, and no row is a pair"
    trainer.train()
    assert [line for line in trainer.state.log_history if "loss" in line]
    for region in ("answer", "thought"):
        credit = {"rule": "uniform", "region": region}
        changed = tiny_dpo_config(
            path, model={"name": name, "reasoning": "auto"}, credit=credit, trainer={"max_steps": 1}
        )
        other = credit_dpo_trainer(changed, tmp_path / region)
        columns = next(iter(other.get_train_dataloader()))
        mask = pair_inputs(columns, columns["input_ids"].float(), None, region).mask
        texts = [
            other.policy_tokenizer.decode(row[marks], skip_special_tokens=True).strip()
            for row, marks in zip(columns["input_ids"][:, 1:], mask, strict=True)
        ]
        assert all(text.startswith("The ") if region == "answer" else text.endswith("</think>") for text in texts)
        other.train()
    batch = next(iter(trainer.get_train_dataloader()))
    rejected = batch["evidence_tokens"][len(batch["evidence_tokens"]) // 2 :, 0]
    ids = batch["input_ids"][len(rejected) :, 1:]
    assert [trainer.policy_tokenizer.decode(row[marks]) for row, marks in zip(ids, rejected, strict=True)] == [","] * 2
