"""Benchmarks: read as published, with what cannot be judged counted, and judged by hand-made answers and real ones."""

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from data.benchmarks import BENCHMARKS, benchmark_source, find_benchmark, read_benchmark
from data.benchmarks.judging import (
    judge_books,
    judge_constraints,
    judge_number,
    judge_solution,
    judge_strictly,
    last_number,
)
from data.benchmarks.passages import passages
from data.benchmarks.questions import book_problem, number_problem
from data.combinatorial.rows import instance_problem
from data.problems import ConstraintSpec, Problem, to_row, user_text
from data.writing import write_rows
from rewards.errors import InputError
from rewards.feasibility.knapsack import Knapsack


def problem(text: str, *constraints: ConstraintSpec) -> Problem:
    return Problem(problem_id="1", messages=({"role": "user", "content": text},), constraints=constraints)


NO_COMMA = ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="")
ANYTHING = ConstraintSpec(
    id="length_constraints:number_words", kwargs={"relation": "at least", "num_words": 2}, text=""
)


def test_judge_constraints__loose_forgives_a_first_line():
    judged = judge_constraints(problem("Describe rain.", NO_COMMA, ANYTHING), "Sure, gladly:\nRain falls down.")
    assert [(one.kind, one.strict, one.loose) for one in judged.constraints] == [
        (NO_COMMA.id, False, True),
        (ANYTHING.id, True, True),
    ]
    assert judged.scores == {"prompt_strict": 0.0, "prompt_loose": 1.0}


def test_judge_constraints__an_empty_answer_keeps_nothing():
    assert judge_constraints(problem("Describe rain.", NO_COMMA), "").scores == {
        "prompt_strict": 0.0,
        "prompt_loose": 0.0,
    }


def test_judge_strictly__has_no_loose_score():
    judged = judge_strictly(problem("Describe rain.", NO_COMMA), "Rain falls.")
    assert judged.scores == {"prompt_strict": 1.0} and judged.constraints[0].loose is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("So 3 + 4 = 7.", 7.0),
        ("It costs $1,250 in all", 1250.0),
        ("#### -18", -18.0),
        ("2.5 miles", 2.5),
        ("none", None),
    ],
)
def test_last_number__of_an_answer(text, number):
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("answer", "exact", "last"),
    [
        ("3 + 4 = 7\n#### 7", 1.0, 1.0),
        ("#### 7.00", 1.0, 1.0),
        ("#### $7", 1.0, 1.0),
        ("It is 7.", 0.0, 1.0),
        ("7 apples, so 8", 0.0, 0.0),
        ("#### seven, that is 7", 0.0, 1.0),
        ("", 0.0, 0.0),
    ],
)
def test_judge_number__reads_the_marked_and_the_last_number(answer, exact, last):
    asked = number_problem({"question": "3 + 4?", "answer": "It is <<3+4=7>>7.\n#### 7"}, "row 1")
    assert asked.reference == "7"
    assert judge_number(asked, answer).scores == {"exact_match": exact, "last_number": last}


def test_number_problem__reads_thousands():
    asked = number_problem({"question": "?", "answer": "#### 70,000"}, "row 1")
    assert judge_number(asked, "#### 70000").scores["exact_match"] == 1.0
    assert judge_number(asked, "#### 70,000").scores["exact_match"] == 1.0


def test_judge_books__as_kitab_does():
    row = {
        "Author": "Jane Austen",
        "Birth Year": 1775,
        "constraints": "title starts with E",
        "all_books": ["Emma", "Persuasion"],
        "mapped_books": ["Emma"],
    }
    asked = book_problem(row, "row 1")
    assert "Jane Austen (born in 1775)" in user_text(asked) and "title starts with E" in user_text(asked)
    scores = judge_books(asked, "1. Reason: E. Title: Emma\n2. Reason: P. Title: Persuasion").scores
    assert scores == {"all_correct": 0.0, "completeness": 1.0, "satisfied": 0.5, "unsatisfied": 0.5, "irrelevant": 0.0}


def test_judge_solution__measures_the_gap_of_a_feasible_answer_alone(tmp_path):
    knapsack = Knapsack(weights=(6, 1, 7, 9, 5), values=(2, 7, 1, 8, 6), capacity=14)
    row = {**to_row(instance_problem("sack", knapsack, "plain")), "task": "knapsack", "reference": "15", "scale": 15}
    path = write_rows([row], tmp_path / "sack.jsonl")
    [asked] = read_benchmark(find_benchmark("combinatorial"), str(path)).problems
    assert asked.extras["problem"] == "knapsack"
    judged = [judge_solution(asked, answer) for answer in ("[[1, 3]]", "[[0, 1, 4]]", "[[3, 4, 0]]", "")]
    # of values 15 and 15; of weight 20 of 14; nothing
    assert [one.scores["feasible"] for one in judged] == [1.0, 1.0, 0.0, 0.0]
    assert [one.scores["quality"] for one in judged] == [1.0, 1.0, 0.0, 0.0]
    assert judge_solution(asked, "[[4]]").scores == {"feasible": 1.0, "quality": pytest.approx(6 / 15)}
    assert [one.kind for one in judged[2].constraints if not one.strict] == ["feasibility:capacity"]
    with pytest.raises(InputError, match="problem 1 has no rule of feasibility"):
        judge_solution(problem("Describe rain.", NO_COMMA), "Rain.")


def ifeval_rows(*kinds: str) -> list[dict]:
    return [
        {"key": index, "prompt": f"Say {index}.", "instruction_id_list": [kind], "kwargs": [{}]}
        for index, kind in enumerate(kinds)
    ]


def test_read_benchmark__counts_what_no_verifier_checks_and_spaces_a_limit_evenly(tmp_path):
    rows = ifeval_rows(*[NO_COMMA.id] * 3, "words:no_such", *[NO_COMMA.id] * 2)
    source = str(write_rows(rows, tmp_path / "rows.jsonl"))
    read = read_benchmark(BENCHMARKS["ifeval"], source)
    assert [one.problem_id for one in read.problems] == ["0", "1", "2", "4", "5"]
    assert (read.total, read.unimplemented) == (6, Counter({"words:no_such": 1}))
    # of 5, the 1st and the 3rd: 0 * 5 // 2 and 1 * 5 // 2
    few = read_benchmark(BENCHMARKS["ifeval"], source, limit=2)
    assert [one.problem_id for one in few.problems] == ["0", "2"]
    with pytest.raises(InputError, match="holds no problem of ifeval that can be judged"):
        read_benchmark(BENCHMARKS["ifeval"], str(write_rows(ifeval_rows("words:no_such"), tmp_path / "one.jsonl")))


def test_benchmark_source__data_then_folder_then_hub(tmp_path, monkeypatch):
    ifeval = BENCHMARKS["ifeval"]
    monkeypatch.delenv("HEED_BENCHMARK_DATA", raising=False)
    assert benchmark_source(ifeval) == "google/IFEval"
    path = write_rows(ifeval_rows(NO_COMMA.id), tmp_path / ifeval.file)
    monkeypatch.setenv("HEED_BENCHMARK_DATA", str(tmp_path))
    assert benchmark_source(ifeval) == str(path)
    assert benchmark_source(ifeval, "mine.jsonl") == "mine.jsonl"


def test_find_benchmark__is_a_name_or_a_file():
    assert find_benchmark("gsm8k").licence == "MIT"
    assert find_benchmark("folder/mine.jsonl.gz").name == "mine"
    with pytest.raises(InputError, match="no benchmark 'ifevall'; it must be one of ifeval, ifbench"):
        find_benchmark("ifevall")


def test_passages__are_the_constraints_own_or_the_sentences_with_its_words():
    text = "Write about rain. Do not use any commas. Use the word mist twice."
    frequency = ConstraintSpec(
        id="keywords:frequency", kwargs={"keyword": "mist", "frequency": 2, "relation": "at least"}, text=""
    )
    asked = problem(text, NO_COMMA, frequency)
    assert [text[a:b].strip() for a, b in passages(asked, NO_COMMA)] == ["Do not use any commas."]
    assert "Use the word mist twice." in [text[a:b].strip() for a, b in passages(asked, frequency)]
    known = ConstraintSpec(id=NO_COMMA.id, kwargs={}, text="", spans=((0, 5),))
    assert passages(asked, known) == ((0, 5),)
    assert passages(problem("Write about rain.", NO_COMMA), NO_COMMA) == ()


@pytest.mark.benchmark
def test_ifeval__published_verdicts_give_the_published_figures():
    folder = Path(os.environ["HEED_BENCHMARK_DATA"], "ifeval")
    with gzip.open(folder / "responses_qwen2.5-0.5b_with_verdicts.jsonl.gz", "rt", encoding="utf-8") as lines:
        published = {row["prompt"]: row for row in map(json.loads, lines)}
    read = read_benchmark(BENCHMARKS["ifeval"], benchmark_source(BENCHMARKS["ifeval"]))
    assert (len(read.problems), read.total) == (541, 541)
    # a third, as every test must be quick: all of them are in tests/rewards/test_benchmark.py
    chosen = [one for one in read.problems[::3] if user_text(one) in published]
    assert len(chosen) > 150
    differing = 0
    for one in chosen:
        row = published[user_text(one)]
        judged = [score.strict for score in judge_constraints(one, row["response"]).constraints]
        differing += judged != row["follow_instruction_list"]
    assert differing <= 1


@pytest.mark.benchmark
@pytest.mark.parametrize(
    ("name", "judged", "total"), [("ifbench", 285, 300), ("muldimif", 1143, 1200), ("gsm8k", 1319, 1319)]
)
def test_read_benchmark__the_published_files(name, judged, total):
    # 15 rows of IFBench have one of the two kinds that need a tagger or a dictionary
    benchmark = BENCHMARKS[name]
    read = read_benchmark(benchmark, benchmark_source(benchmark))
    assert (len(read.problems), read.total) == (judged, total)
    assert bool(read.unimplemented) == (judged < total)


@pytest.mark.benchmark
def test_gsm8k__its_own_solutions_are_right():
    benchmark = BENCHMARKS["gsm8k"]
    with gzip.open(benchmark_source(benchmark), "rt", encoding="utf-8") as lines:
        answers = [json.loads(line)["answer"] for line in lines]
    read = read_benchmark(benchmark, benchmark_source(benchmark))
    scores = [judge_number(one, answer).scores for one, answer in zip(read.problems, answers, strict=True)]
    assert all(score == {"exact_match": 1.0, "last_number": 1.0} for score in scores)
