"""Row formats: rows as they are published keep their prompt, their constraints and their answers, or are refused."""

import json

import pytest

from data.preferences import pair_row
from data.problems import user_text
from data.reading import read_pairs, read_problems
from data.row_formats import row_format
from data.writing import write_rows

USER, ASSISTANT = {"role": "user", "content": "Describe rain."}, {"role": "assistant", "content": "It falls."}
TWO_RULES = [
    {
        "instruction_id": ["punctuation:no_comma", "length_constraints:number_words"],
        "kwargs": [None, {"num_words": 300.0, "relation": "at least"}],
    }
]
"""As open-instruct writes them: an IFEval prompt of two rules, whose number went through a data frame."""


def read(tmp_path, *rows, **options):
    return read_problems(write_rows(list(rows), tmp_path / "rows.jsonl"), **options)


def rules(problem):
    return [(spec.id, dict(spec.kwargs)) for spec in problem.constraints]


EXPECTED_RULES = [
    ("punctuation:no_comma", {}),
    ("length_constraints:number_words", {"num_words": 300, "relation": "at least"}),
]


@pytest.mark.parametrize("written", [json.dumps(TWO_RULES), repr(TWO_RULES), TWO_RULES])
def test_open_instruct__ground_truth_is_json_python_or_a_list(tmp_path, written):
    row = {"key": "a-1", "messages": [USER], "ground_truth": written, "dataset": "ifeval", "constraint_type": "multi"}
    [problem] = read(tmp_path, row)
    assert (problem.problem_id, user_text(problem), problem.task) == ("a-1", "Describe rain.", "ifeval")
    assert rules(problem) == EXPECTED_RULES and problem.reference is None
    assert problem.extras == {"constraint_type": "multi"}


@pytest.mark.parametrize("written", [json.dumps(TWO_RULES), repr(TWO_RULES)])
def test_verl__ground_truth_in_either_notation_keeps_its_constraints(tmp_path, written):
    row = {"data_source": "ifeval", "prompt": [USER], "reward_model": {"ground_truth": written}}
    [problem] = read(tmp_path, row)
    assert rules(problem) == EXPECTED_RULES


@pytest.mark.parametrize(
    ("truth", "kind", "kwargs"),
    [
        ({"func_name": "validate_no_commas", "N": None}, "punctuation:no_comma", {}),
        (
            {"func_name": "validate_word_constraint", "N": 9, "quantifier": "at most"},
            "length_constraints:number_words",
            {"num_words": 9, "relation": "at most"},
        ),
        (
            {"func_name": "verify_keyword_frequency", "word": "sea", "N": 2},
            "keywords:frequency",
            {"keyword": "sea", "frequency": 2, "relation": "exactly"},
        ),
        ({"func_name": "verify_paragraph_count", "N": 3}, "combination:parts", {"divider": "* * *", "num_parts": 3}),
    ],
)
def test_rlvr_ifeval__functions_become_the_kinds_that_check_the_same(tmp_path, truth, kind, kwargs):
    [problem] = read(tmp_path, {"messages": [USER], "ground_truth": json.dumps(truth), "dataset": "ifeval"})
    assert rules(problem) == [(kind, kwargs)]


def test_open_instruct__any_other_ground_truth_is_the_reference(tmp_path):
    rows = [{"messages": [USER], "ground_truth": truth, "dataset": ["gsm8k"]} for truth in ("18", "[1, 2]", "{x}")]
    problems = read(tmp_path, *rows)
    assert [problem.reference for problem in problems] == ["18", "[1, 2]", "{x}"]
    assert {problem.task for problem in problems} == {"gsm8k"}


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ("[{'instruction_id': ['punctuation:no_comma'], 'kwargs': [", "is neither JSON nor a Python literal; got"),
        ("[{'instruction_id': __import__('os').getcwd()}]", "is neither JSON nor a Python literal"),
        ("[" * 60 + "'instruction_id'", "nests deeper than 50"),
        ("[{'instruction_id': 'punctuation:no_comma', 'kwargs': [None]}]", "expected a list of instruction ids; got"),
        ("[{'instruction_id': ['punctuation:no_comma'], 'kwargs': []}]", "one kwargs for each of the 1"),
        ('{"func_name": "validate_choice", "options": "a, b"}', "no verifier checks what the function"),
        ("[{'instruction_id': ['made:up'], 'kwargs': [None]}]", "unknown constraint kind 'made:up'"),
        ('{"func_name": "validate_word_constraint", "N": 9, "quantifier": "around"}', "relation: .*'around'"),
    ],
)
def test_ground_truth__constraints_that_cannot_be_read_are_an_error_with_the_line(tmp_path, truth, message):
    rows = [{"messages": [USER], "ground_truth": "7"}, {"messages": [USER], "ground_truth": truth}]
    with pytest.raises(ValueError, match=f"rows.jsonl:2: .*{message}"):
        read(tmp_path, *rows)
    unreadable = []
    assert len(read(tmp_path, *rows, unreadable=unreadable)) == 1
    assert [str(error).startswith("rows.jsonl:2: ") for error in unreadable] == [True]


def test_ifeval__kwargs_of_data_frames(tmp_path):
    # pandas writes a whole number as 300.0, and what other rows have as NaN
    kwargs = [{"num_words": 300.0, "relation": "at least", "letter": float("nan")}]
    row = {"prompt": "Go.", "instruction_id_list": ["length_constraints:number_words"], "kwargs": kwargs}
    assert rules(read(tmp_path, row)[0]) == [EXPECTED_RULES[1]]
    assert rules(read(tmp_path, {**row, "kwargs": repr(kwargs[0] | {"letter": None}).join("[]")})[0]) == [
        EXPECTED_RULES[1]
    ]


def test_messages__content_of_text_parts_is_their_text(tmp_path):
    parts = [{"type": "text", "text": "Describe "}, {"type": "text", "text": "rain.", "image": None}]
    [problem] = read(tmp_path, {"prompt": [{"role": "user", "content": parts}]})
    assert user_text(problem) == "Describe rain."


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([{"role": "user", "content": [{"type": "image"}]}], "parts that are all of the type text"),
        ([{"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}, USER], r"got \['tool_calls'\] too"),
        ([{"role": "assistant", "content": None}, USER], "got the content None"),
    ],
)
def test_messages__what_would_be_lost_is_refused_by_name(tmp_path, messages, message):
    with pytest.raises(ValueError, match=f"rows.jsonl:1: .*'prompt'.*{message}"):
        read(tmp_path, {"prompt": messages})


def test_conversations__the_prompt_ends_with_the_user_and_the_reply_is_the_reference(tmp_path):
    sharegpt = {
        "system": "Be brief.",
        "conversations": [
            {"from": "human", "value": "Hello."},
            {"from": "gpt", "value": "Hi."},
            {"from": "human", "value": "Describe rain."},
            {"from": "gpt", "value": "It falls."},
        ],
    }
    trl = {
        "messages": [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."}, USER, ASSISTANT]
    }
    first, second = read(tmp_path, sharegpt, trl)
    assert [message["role"] for message in first.messages] == ["system", "user", "assistant", "user"]
    assert first.messages[1:] == second.messages and user_text(second) == "Describe rain."
    assert first.reference == second.reference == "It falls."


def test_read_pairs__chats_without_a_prompt_share_it_as_their_beginning(tmp_path):
    other = {"role": "assistant", "content": "Rain is wet."}
    row = {"chosen": [USER, ASSISTANT], "rejected": [USER, other]}
    [pair] = read_pairs(write_rows([row], tmp_path / "pairs.jsonl"))
    assert pair_row(pair)["prompt"] == [USER]
    assert (pair.chosen.text, pair.rejected.text) == ("It falls.", "Rain is wet.")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"chosen": "a", "rejected": "b"}, "'prompt' is missing, and 'chosen' and 'rejected' are text"),
        ({"chosen": [ASSISTANT], "rejected": [USER, ASSISTANT]}, "begin with the same messages.* they share 0"),
        ({"chosen": [USER], "rejected": [USER, ASSISTANT]}, "each go on with an answer; they share 1"),
        ({"chosen": [USER, ASSISTANT], "rejected": [USER, ASSISTANT]}, "they share 2"),
    ],
)
def test_read_pairs__chats_without_a_common_prompt_are_refused(tmp_path, row, message):
    with pytest.raises(ValueError, match=f"pairs.jsonl:1: .*{message}"):
        read_pairs(write_rows([row], tmp_path / "pairs.jsonl"))


def test_read_pairs__sharegpt_with_two_answers(tmp_path):
    row = {
        "conversations": [{"from": "human", "value": "Describe rain."}],
        "chosen": {"from": "gpt", "value": "It falls."},
        "rejected": {"from": "gpt", "value": "Rain."},
    }
    [pair] = read_pairs(write_rows([row], tmp_path / "pairs.jsonl"))
    assert (user_text(pair.problem), pair.chosen.text, pair.rejected.text) == ("Describe rain.", "It falls.", "Rain.")


@pytest.mark.parametrize("line", ["[1]", '"text"', "{", '{"prompt": "Rain \\ud83d"}', "9" * 5000, "[" * 3000])
def test_read_problems__lines_that_are_no_rows_are_left_out_too(tmp_path, line):
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{line}\n{{"prompt": "Describe rain."}}\n')
    unreadable = []
    assert [user_text(problem) for problem in read_problems(path, unreadable=unreadable)] == ["Describe rain."]
    assert len(unreadable) == 1 and str(unreadable[0]).startswith("rows.jsonl:1: ")


def test_read_problems__a_file_of_unreadable_rows_alone_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"rows.jsonl: no row can be read; the first is rows.jsonl:1: expected a col"):
        read(tmp_path, {"question": "?"}, {"question": "!"}, unreadable=[])


def test_row_format__names_what_a_row_is_taken_for():
    muldimif = {"id": "1", "conversations": [USER], "constraints": [["Format", "XML", "Use XML"]]}
    assert [
        row_format(row)
        for row in (
            {"prompt": "a", "instruction_id_list": []},
            {"data_source": "x", "reward_model": {}, "prompt": "a"},
            {"messages": [USER], "ground_truth": "1"},
            muldimif,
            {"conversations": [USER]},
            {"messages": [USER, ASSISTANT]},
            {"chosen": [USER, ASSISTANT], "rejected": [USER, ASSISTANT]},
            {"prompt": "a", "chosen": "b", "rejected": "c"},
            {"prompt": "a"},
        )
    ] == [
        "IFEval",
        "verl",
        "open-instruct",
        "MulDimIF",
        "ShareGPT",
        "TRL conversations",
        "TRL preferences without a prompt",
        "TRL preferences",
        "prompts",
    ]


def test_gsm8k__the_workings_are_the_completion_and_the_number_is_the_reference(tmp_path):
    row = {"question": "Three and four?", "answer": "It is 3 + 4 = <<3+4=7>>7.\n#### 7,000"}
    assert row_format(row) == "GSM8K"
    [problem] = read(tmp_path, row)
    assert user_text(problem).startswith("Three and four?\n\nEnd your answer") and problem.reference == "7000"
    assert problem.extras["completion"] == [{"role": "assistant", "content": "It is 3 + 4 = 7.\n#### 7,000"}]
    assert problem.task == "gsm8k"


def test_accord__instruction_and_input_are_the_prompt_and_the_stepwise_text_the_completion(tmp_path):
    row = {
        "instruction": "Solve it.",
        "input": "Capacity 20.",
        "output_accord": "[[9, 2] -> value:0+9=9, weight:0+2=2<=20]",
        "output_list_of_lists": "[[9, 2]]",
        "paired_distances": None,
    }
    assert row_format(row) == "ACCORD"
    [problem] = read(tmp_path, row)
    assert user_text(problem) == "Solve it.\n\nCapacity 20." and problem.reference == "[[9, 2]]"
    assert problem.extras["completion"] == [{"role": "assistant", "content": row["output_accord"]}]
    assert problem.task == "accord" and problem.constraints == ()
