"""`heed data verify`: prompts and answers are checked, and what cannot be checked is counted."""

from data.writing import write_rows
from launch.data.verify import verify_command


def test_verify__checks_prompts_and_answers(tmp_path):
    row = {
        "prompt": "Write. Use no commas.",
        "constraints": [{"id": "punctuation:no_comma", "text": "Use no commas.", "spans": [[7, 21]]}],
    }
    rows = [{**row, "response": "Yes."}, {**row, "response": "Yes, indeed."}]
    result = verify_command(write_rows(rows, tmp_path / "answers.jsonl"))
    assert result["satisfaction"] == {"punctuation:no_comma": 0.5}
    assert (result["proved"], result["conflicting"], result["wrong_span"]) == (2, {}, 0)


def test_verify__reports_kinds_without_a_verifier(tmp_path):
    rows = [
        {"prompt": "a", "instruction_id_list": ["made:up"], "kwargs": [{}]},
        {"prompt": "b", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    ]
    result = verify_command(write_rows(rows, tmp_path / "bench.jsonl"))
    assert result["left_out"] == {"no verifier for made:up": 1} and result["num_problems"] == 1


def test_verify__takes_conversations_without_rules_for_sharegpt_s(tmp_path):
    rows = [{"conversations": [{"from": "human", "value": "Hello."}, {"from": "gpt", "value": "Hi."}]}]
    assert verify_command(write_rows(rows, tmp_path / "chats.jsonl"))["num_problems"] == 1
