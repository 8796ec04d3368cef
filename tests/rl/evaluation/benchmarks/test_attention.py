"""Constraint attention: as the model's own attention maps have it, and what the drop tells of broken constraints."""

import pytest
import torch

from data.benchmarks.judging import judge_strictly
from data.problems import ConstraintSpec, Problem
from rl.config.model import ModelConfig
from rl.evaluation.asking import ANSWER_NOW, THINK_FIRST, Asker, model_modes
from rl.evaluation.benchmarks.attention import AttentionReader, attention_summary
from rl.evaluation.strategies import think
from rl.models.load import load_model
from rl.models.tokenization import prompt_spans, tokens_overlapping
from tests.rl.evaluation.scripted import ScriptedEngine

TEXT = "Describe the sea. Use no commas."
RULE = ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas.", spans=((18, 32),))
SEA = Problem(problem_id="sea", messages=({"role": "user", "content": TEXT},), constraints=(RULE,))


def test_attention_reader__reads_what_the_attention_maps_hold():
    def script(prompt: str) -> str:
        return "Blue, wide." if ANSWER_NOW in prompt else "It is, well," if THINK_FIRST in prompt else "Blue."

    engine = ScriptedEngine(script)
    asker = Asker(engine, model_modes(ModelConfig(name="tiny")))
    [answer] = think(asker, [SEA], 0)
    [line] = AttentionReader(load_model("tiny"), asker, judge_strictly).read([SEA], [answer], 0)
    [paid] = line["attention"]
    assert (paid["kept_directly"], paid["kept_after_thought"]) == (True, False)
    assert paid["thought_tokens"] == answer.reply.thought_tokens
    # again, from whole maps: mean over layers, heads and the answer's tokens of the mean over the rule's tokens
    eager, reply = load_model("tiny", attn_implementation="eager"), answer.reply
    ids = torch.tensor([[*reply.prompt_ids, *reply.completion_ids]])
    maps = torch.stack(eager(ids, output_attentions=True).attentions).mean(dim=(0, 1, 2))
    places = prompt_spans(asker.modes.thinking, reply.chat, reply.prompt_ids, message=0)
    rule = [index for index, yes in enumerate(tokens_overlapping(places, RULE.spans)) if yes]
    others = [index for index, (start, _) in enumerate(places) if index and index not in rule and start < len(TEXT)]
    tokens = [len(reply.prompt_ids) + index for index, yes in enumerate(reply.answer_mask) if yes]
    alpha = maps[tokens][:, rule].mean().item()
    assert paid["per_token"]["thinking"] == pytest.approx(alpha, abs=1e-6)
    assert paid["relative"]["thinking"] == pytest.approx(alpha / maps[tokens][:, others].mean().item(), rel=1e-4)
    assert "It is, well," in engine.tokenizer.decode(list(reply.prompt_ids)), "the thought is before the answer"


def case(kept: bool, drop: float, length: int) -> dict:
    return {
        "kind": RULE.id,
        "kept_directly": True,
        "kept_after_thought": kept,
        "per_token": {"direct": drop, "thinking": 0.0},
        "relative": {"direct": 0.0, "thinking": drop},
        "answer_tokens": {"direct": 5, "thinking": length},
        "thought_tokens": 7,
    }


def test_attention_summary__tells_whether_the_drop_separates_what_thinking_breaks():
    groups = [
        [case(False, 0.4, 9)],
        [case(True, 0.1, 9), {**case(False, 9.0, 9), "kept_directly": False}],
        [case(True, 0.2, 9)],
    ]
    records = [{"attention": group, "constraints": group} for group in groups] + [
        {"attention": [], "constraints": [{}]}
    ]
    summary = attention_summary(records)
    assert (summary["constraints"], summary["unlocated"], summary["kept_directly"], summary["hurt"]) == (4, 1, 3, 1)
    assert summary["auc"]["drop_per_token"]["mean"] == 1.0, "the one that thinking broke dropped most"
    assert summary["auc"]["drop_relative"]["mean"] == 0.0, "in this unit it rose"
    # the four drops per token are 0.4, 0.1, 9.0 and 0.2; two of them are kept after a thought
    assert summary["kinds"] == {
        RULE.id: {
            "of": 4,
            "kept_directly": 0.75,
            "kept_after_thought": 0.5,
            "drop_per_token": pytest.approx(9.7 / 4),
            "drop_relative": pytest.approx(-9.7 / 4),
        }
    }
    assert summary["auc"]["answer_tokens"] == {"mean": 0.5, "low": 0.5, "high": 0.5}, "all are alike"
