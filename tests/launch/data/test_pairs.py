"""`heed data pairs`: answers of a file, a run or a model are paired."""

import json

import pytest

from data.preferences import pair_from_row
from data.problems import user_text
from data.sources import read_rows
from data.writing import write_rows
from launch.data.pairs import Sampling, pairs_command
from rl.evaluation.margins import margins_of
from rl.models.load import load_model, load_tokenizer


def test_pairs__of_a_files_completions(tmp_path):
    row = {
        "prompt": "Write.",
        "constraints": [{"id": "punctuation:no_comma"}],
        "completions": ["Yes, well.", "Yes.", "Oh, yes."],
    }
    source = write_rows([row], tmp_path / "samples.jsonl")
    result = pairs_command(source, tmp_path / "pairs.jsonl")
    (pair,) = [pair_from_row(row) for _, row in read_rows(tmp_path / "pairs.jsonl")]
    assert (pair.chosen.text, pair.rejected.text) == ("Yes.", "Oh, yes.")  # closer in length than "Yes, well."
    assert "completions" not in pair.problem.extras
    assert result == {
        "file": str(tmp_path / "pairs.jsonl"),
        "num_pairs": 1,
        "mean_gap": 1.0,
        "best_worst": 1,
        "minimal": 0,
        "confusion": 0,
        "num_problems": 1,
        "kinds": {"punctuation:no_comma": 1},
        "levels": {"1": 1},
        "patterns": {"unknown": 1},
    }


def test_pairs__of_a_runs_recorded_answers(tmp_path):
    """The run's problems, found by its config, say by which constraints its answers are scored; two share an id."""
    run = tmp_path / "run"
    run.mkdir()
    no_comma = [{"id": "punctuation:no_comma"}]
    problems = [("a", "Write.", no_comma), ("a", "Sing.", []), ("b", "Read.", no_comma)]
    rows = [{"problem_id": name, "prompt": prompt, "constraints": rules} for name, prompt, rules in problems]
    prompts = write_rows(rows, tmp_path / "prompts.jsonl")
    (run / "config.yaml").write_text(f"data: {{path: {prompts}, held_out: 1}}\n")
    answers = [("Write.", "Yes, well."), ("Write.", "Yes."), ("Sing.", "La, la.")]
    lines = [json.dumps({"problem_id": "a", "prompt": prompt, "completion": text}) for prompt, text in answers]
    (run / "rollouts.jsonl").write_text("\n".join(lines) + "\n")
    assert pairs_command(run, tmp_path / "pairs.jsonl")["num_pairs"] == 1
    (pair,) = [pair_from_row(row) for _, row in read_rows(tmp_path / "pairs.jsonl")]
    assert (user_text(pair.problem), pair.chosen.text, pair.rejected.text) == ("Write.", "Yes.", "Yes, well.")


def test_pairs__of_answers_sampled_from_a_model(tmp_path):
    """A random model ends some answers with a comma and some without, if it answers often enough."""
    constraints = [
        {"id": "content:ascii_only"},
        {"id": "length:character_range", "kwargs": {"minimum": 1, "maximum": 30}},
    ]
    source = write_rows([{"prompt": "Write.", "constraints": constraints}], tmp_path / "prompts.jsonl")
    sampling = Sampling(model="tiny", samples=8, temperature=1.0, max_tokens=12, seed=0)
    result = pairs_command(source, tmp_path / "pairs.jsonl", sampling=sampling)
    (row,) = [row for _, row in read_rows(tmp_path / "pairs.jsonl")]
    assert result["num_pairs"] == 1 and row["chosen_score"] > row["rejected_score"]
    again = pairs_command(source, tmp_path / "again.jsonl", sampling=sampling)
    assert [row for _, row in read_rows(tmp_path / "again.jsonl")] == [row] and again["num_pairs"] == 1


@pytest.mark.parametrize(
    ("changes", "given"), [({"samples": 1}, "1, 12 and 1.0"), ({"temperature": 0.0}, "8, 12 and 0.0")]
)
def test_sampling__refuses_samples_that_cannot_differ(changes, given):
    settings = {"model": "tiny", "samples": 8, "temperature": 1.0, "max_tokens": 12, "seed": 0, **changes}
    with pytest.raises(ValueError, match=given):
        Sampling(**settings)


def test_pairs__of_a_run_with_custom_verifiers(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from rewards.verdict import Verdict\n"
        "def shout(completion, *, prompt):\n"
        "    loud = completion.isupper()\n"
        "    return Verdict(satisfied=loud, margin=0.0 if loud else -1.0, evidence=())\n"
    )
    run = tmp_path / "run"
    run.mkdir()
    rows = [{"prompt": name, "constraints": [{"id": "own:shout"}], "problem_id": name} for name in ("a", "b")]
    prompts = write_rows(rows, tmp_path / "prompts.jsonl")
    own = f"{{'own:shout': '{tmp_path}/mine.py:shout'}}"
    (run / "config.yaml").write_text(f"data: {{path: {prompts}, held_out: 1}}\nrewards: {{verifiers: {own}}}\n")
    lines = [json.dumps({"problem_id": "a", "prompt": "a", "completion": text}) for text in ("quiet", "LOUD")]
    (run / "rollouts.jsonl").write_text("\n".join(lines) + "\n")
    result = pairs_command(run, tmp_path / "pairs.jsonl")
    (row,) = [row for _, row in read_rows(tmp_path / "pairs.jsonl")]
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == ("LOUD", "quiet")
    assert result["kinds"] == {"own:shout": 1}


def test_pairs__a_source_without_answers_is_one_sentence(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(FileNotFoundError, match="is not a run folder"):
        pairs_command(run, tmp_path / "pairs.jsonl")
    (run / "config.yaml").write_text("{}")
    with pytest.raises(ValueError, match=r"has no rollouts\.jsonl"):
        pairs_command(run, tmp_path / "pairs.jsonl")
    source = write_rows([{"prompt": "a"}], tmp_path / "plain.jsonl")
    with pytest.raises(ValueError, match="no list of texts in the column 'completions'"):
        pairs_command(source, tmp_path / "pairs.jsonl")
    same = write_rows([{"prompt": "a", "completions": ["b", "c"]}], tmp_path / "same.jsonl")
    with pytest.raises(ValueError, match="no two answers to one prompt that differ in score"):
        pairs_command(same, tmp_path / "pairs.jsonl")


def two_rules(prompt: str, completions: list[str]) -> dict:
    """A prompt with two rules whose passages are known."""
    rules = {"Use no commas.": "punctuation:no_comma", "Use plain letters.": "content:ascii_only"}
    spans = {text: [prompt.index(text), prompt.index(text) + len(text)] for text in rules}
    constraints = [{"id": rule, "text": text, "spans": [spans[text]]} for text, rule in rules.items()]
    return {"prompt": prompt, "constraints": constraints, "completions": completions}


def test_pairs__by_confusion_are_read_by_a_model(tmp_path):
    """The random model attends to the first rule after long answers, and to the second one after short ones."""
    texts = ["sea and sun,", "sky and ice.", "The sea is wide and blue and deep and salty and never rests."]
    source = write_rows([two_rules("Write. Use no commas. Use plain letters.", texts)], tmp_path / "samples.jsonl")
    result = pairs_command(source, tmp_path / "pairs.jsonl", by="confusion", reader="tiny")
    assert result["confusion"] == result["num_pairs"] == 1
    [row] = [row for _, row in read_rows(tmp_path / "pairs.jsonl")]
    assert row["differs_on"] == ["punctuation:no_comma"] and row["pair_kind"] == "confusion"
    problem = pair_from_row(row).problem
    policy, tokenizer = load_model("tiny"), load_tokenizer("tiny")
    chosen, rejected = margins_of(
        policy, tokenizer, problem, [row[name][0]["content"] for name in ("chosen", "rejected")]
    )
    assert chosen[0] > 0.0 > rejected[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "attention"}, "by score or by confusion"),
        ({"reader": "tiny"}, "--reader tiny reads answers for --by confusion"),
        ({"by": "confusion", "reader": "tiny", "minimal": True}, "drop --minimal"),
        ({"by": "confusion"}, "name it by --reader"),
        ({"by": "confusion", "reader": "tiny"}, "two constraints whose passages are known"),
    ],
)
def test_pairs__by_confusion_refuses_what_it_cannot_do(options, message, tmp_path):
    row = {"prompt": "Write.", "constraints": [{"id": "punctuation:no_comma"}], "completions": ["Yes, well.", "Yes."]}
    source = write_rows([row], tmp_path / "samples.jsonl")
    with pytest.raises(ValueError, match=message):
        pairs_command(source, tmp_path / "pairs.jsonl", **options)
