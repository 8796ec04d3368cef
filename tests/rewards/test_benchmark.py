"""Benchmark: agreement with the published strict verdicts of IFEval and IFBench on real responses."""

import gzip
import json
import os
from pathlib import Path

import pytest

from rewards.verifiers import check_arguments, known_kinds, verify

RANDOM_LETTER = {1122, 1129}
"""Prompts whose published checker draws a random letter, because their character ("#", "!") is not a letter."""
NEEDS_A_MODEL = {"words:odd_even_syllables", "words:start_verb"}
"""IFBench's kinds that need a dictionary of syllables or a tagger of parts of speech."""
CHANGED_SINCE = "ratio:sentence_type"
"""A kind one of whose published verdicts the checker published beside it does not give."""


@pytest.fixture
def folder() -> Path:
    if "HEED_BENCHMARK_DATA" not in os.environ:
        pytest.skip("set HEED_BENCHMARK_DATA to a folder that holds ifeval/ and ifbench/")
    return Path(os.environ["HEED_BENCHMARK_DATA"])


@pytest.mark.benchmark
def test_verify__reproduces_every_published_verdict(folder):
    prompts = read_lines(folder / "ifeval" / "input_data.jsonl")
    with gzip.open(folder / "ifeval" / "responses_qwen2.5-0.5b_with_verdicts.jsonl.gz", "rt") as lines:
        responses = [json.loads(line) for line in lines]
    compared = [
        (row["key"], *verdict)
        for row, response in zip(prompts, responses, strict=True)  # one response edits its prompt: paired by order
        for verdict in compare(row, response)
        if row["key"] not in RANDOM_LETTER
    ]
    assert len(compared) == 830
    assert [row for row in compared if row[2] != row[3]] == []


@pytest.mark.benchmark
def test_verify__knows_ifbench_and_its_arguments(folder):
    rows = read_lines(folder / "ifbench" / "IFBench_test.jsonl")
    asked = [(kind, given) for row in rows for kind, given in arguments(row)]
    assert {kind for kind, _ in asked} - set(known_kinds()) == NEEDS_A_MODEL
    for kind, given in asked:
        if kind not in NEEDS_A_MODEL:
            assert check_arguments(kind, given) == given


@pytest.mark.benchmark
def test_verify__reproduces_the_published_verdicts_of_ifbench(folder):
    path = folder / "ifbench" / "eval_results_strict.jsonl"
    if not path.is_file():
        pytest.skip(f"copy IFBench's eval/eval_results_strict.jsonl to {path}")
    responses = {response["prompt"].strip(): response for response in read_lines(path)}
    rows = read_lines(folder / "ifbench" / "IFBench_test.jsonl")
    compared = [
        verdict
        for row in rows
        if (response := responses.get(row["prompt"].strip()))
        for verdict in compare(row, response)
    ]
    assert len(compared) == 319
    different = [kind for kind, satisfied, published in compared if satisfied != published]
    assert different == [CHANGED_SINCE]


def compare(row, response):
    assert [kind.removeprefix("en:") for kind in response["instruction_id_list"]] == row["instruction_id_list"]
    for (kind, given), published in zip(arguments(row), response["follow_instruction_list"], strict=True):
        if kind not in NEEDS_A_MODEL:
            verdict = verify(kind, response["response"], prompt=row["prompt"], semantics="eval", **given)
            yield kind, verdict.satisfied, published


def arguments(row):
    for kind, given in zip(row["instruction_id_list"], row["kwargs"], strict=True):
        yield kind, {name: value for name, value in given.items() if value is not None}


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
