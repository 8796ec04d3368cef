"""Selector: TF-IDF by hand, a classifier that learns what can be learnt, and its worth on prompts it has not seen."""

import json
import math

import pytest

from rl.common.errors import UserError
from rl.evaluation.benchmarks.selector import (
    Case,
    Selector,
    evaluation_scores,
    inverse_frequencies,
    load_selector,
    prompt_digest,
    selector_command,
    tf_idf,
    train,
)

NOUNS = ("sea", "sky", "rain", "wind", "snow", "bread", "train", "garden", "river", "stone")


def write_run(folder, scores: dict[str, float]):
    folder.mkdir()
    lines = [
        {
            "index": index,
            "problem_id": str(index),
            "prompt": prompt,
            "scores": {"prompt_strict": score},
            "constraints": [],
        }
        for index, (prompt, score) in enumerate(scores.items())
    ]
    (folder / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_tf_idf__by_hand():
    frequencies = inverse_frequencies(["the sea", "the sky", "the sea sea"])
    # "the" stands in 3 of 3 prompts, "sea" and "the sea" in 2 of 3; what stands in one alone is left out
    assert frequencies == pytest.approx(
        {"sea": 1 + math.log(4 / 3), "the": 1 + math.log(4 / 4), "the sea": 1 + math.log(4 / 3)}
    )
    values = tf_idf("Sea, the sky! Sea.", frequencies)
    sea, the = (1 + math.log(2)) * (1 + math.log(4 / 3)), 1.0
    length = math.hypot(sea, the)
    assert values == pytest.approx({"sea": sea / length, "the": the / length})
    assert tf_idf("unknown", frequencies) == {}


def test_selector__probability_by_hand():
    selector = Selector(weights={"sea": 2.0}, inverse_frequencies={"sea": 1.5}, bias=-1.0)
    # one known word: its feature is 1, whatever its frequency
    assert selector.probability("the sea") == pytest.approx(1 / (1 + math.exp(-(2.0 - 1.0))))
    assert selector.decide(["the sea", "the sky"]) == [True, False]


def test_train__is_the_minimum_of_the_loss():
    # one word in both prompts of each label: by symmetry the bias is 0 and the two weights are opposite
    selector = train(["plan", "plan", "list", "list"], [True, True, False, False], penalty=0.4)
    weight = selector.weights["plan"]
    assert selector.bias == pytest.approx(0.0, abs=1e-5)
    assert selector.weights["list"] == pytest.approx(-weight, abs=1e-5)
    # the derivative of the mean log loss, to which "plan" belongs in half of the prompts, plus penalty / N x weight
    assert -0.5 / (1 + math.exp(weight)) + 0.4 / 4 * weight == pytest.approx(0.0, abs=1e-4)


def test_selector_command__learns_a_rule_and_says_what_it_is_worth(tmp_path, capsys):
    prompts = [f"{verb} the {noun} number {index}" for index in range(3) for noun in NOUNS for verb in ("Plan", "List")]
    direct = write_run(tmp_path / "direct", dict.fromkeys(prompts, 0.5))
    thinking = write_run(tmp_path / "think", {prompt: float(prompt.startswith("Plan")) for prompt in prompts})
    result = selector_command(direct, thinking, tmp_path / "selector.json")
    assert (result["train"], result["validation"], result["evaluation"]) == (27, 3, 30)
    assert result["accuracy"] == result["validation_accuracy"] == 1.0
    scores = result["scores"]
    assert scores["never"] == 0.5 and scores["selector"] == scores["best_possible"] > scores["always"]
    assert result["gain_over"]["never"]["mean"] == pytest.approx(scores["selector"] - 0.5)
    loaded = load_selector(tmp_path / "selector.json")
    assert loaded.decide(["Plan a trip", "List a few"]) == [True, False]
    assert len(loaded.seen) == 27 + 3 and loaded.seen < {prompt_digest(prompt) for prompt in prompts}
    assert result == selector_command(direct, thinking, tmp_path / "again.json") | {"file": result["file"]}


def test_selector_command__refuses_what_it_cannot_learn_from(tmp_path):
    prompts = [f"Describe {noun}" for noun in NOUNS]
    direct = write_run(tmp_path / "direct", dict.fromkeys(prompts, 0.5))
    worse = write_run(tmp_path / "worse", dict.fromkeys(prompts, 0.0))
    other = write_run(tmp_path / "other", dict.fromkeys(prompts[1:], 0.0))
    with pytest.raises(UserError, match="thinking scores higher on 0 of"):
        selector_command(direct, worse, tmp_path / "selector.json")
    with pytest.raises(UserError, match="different prompts"):
        selector_command(direct, other, tmp_path / "selector.json")
    with pytest.raises(UserError, match="--score loose: it must be one of prompt_strict"):
        selector_command(direct, worse, tmp_path / "selector.json", score="loose")
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(UserError, match="is no selector"):
        load_selector(tmp_path / "no.json")


def test_evaluation_scores__a_selector_without_words_never_thinks():
    never = Selector(weights={}, inverse_frequencies={}, bias=-1.0)
    scores = evaluation_scores(
        never, [Case(prompt="a", direct=1.0, thinking=0.0), Case(prompt="b", direct=0.0, thinking=1.0)]
    )
    assert scores["scores"] == {"never": 0.5, "always": 0.5, "selector": 0.5, "best_possible": 1.0}
    assert scores["gain_over"]["never"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
